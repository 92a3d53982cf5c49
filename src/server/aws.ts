import type { Config } from "../config/schema.ts";
import { type AwsDoor, type AwsOptions, createAwsDoor } from "../protocols/aws/index.ts";

/** What the AWS door is made of. */
export interface AwsParts extends Omit<AwsOptions, "settings" | "isBehindTls"> {
  readonly config: Pick<Config, "aws" | "behindProxy">;
}

/** Undefined: the operator has switched it off. */
export function createAws({ config, ...parts }: AwsParts): AwsDoor | undefined {
  const { enabled, connectionsTable, ...settings } = config.aws;
  if (!enabled) return undefined;
  return createAwsDoor({ ...parts, settings: { ...settings, connectionsTable }, isBehindTls: config.behindProxy });
}
