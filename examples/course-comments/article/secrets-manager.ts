import { readFile } from "node:fs/promises";

/** As much of `@aws-sdk/client-secrets-manager` as the handler uses: secrets come from the JSON file that SECRETS_FILE names. */
export class GetSecretValueCommand {
  readonly input: { readonly SecretId: string };

  constructor(input: { readonly SecretId: string }) {
    this.input = input;
  }
}

export class SecretsManagerClient {
  // AWS's takes its configuration here.
  // biome-ignore lint/complexity/noUselessConstructor: the handler gives it one
  constructor(_configuration: object) {}

  async send({ input }: GetSecretValueCommand): Promise<{ readonly SecretString?: string }> {
    const secrets = JSON.parse(await readFile(process.env.SECRETS_FILE ?? "", "utf8")) as Record<string, string>;
    const value = secrets[input.SecretId];
    return value === undefined ? {} : { SecretString: value };
  }
}
