import type { AwsOptions } from "../options.ts";

/** What SNS needs of the server. */
export type SnsOptions = Pick<AwsOptions, "topics" | "eventTopics" | "eventSubscriptions" | "snsCertificate">;
