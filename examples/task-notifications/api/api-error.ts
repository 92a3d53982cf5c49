/** An answer that is not a success: `{"message": "..."}`, as the API Gateway of the article answers. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: 400 | 401 | 404 | 405 | 413 | 415 | 429 | 503;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: ApiError["status"], message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Try again later. */
export function unavailable(message: string, retryAfterSeconds: number): ApiError {
  return new ApiError(503, message, { "retry-after": String(retryAfterSeconds) });
}
