import type { SecretDetails, SecretVersion } from "../../../domain/secrets/secret.ts";
import { AwsError } from "../errors.ts";

/** A version's id: what its maker called it, else one made from its number. */
export function versionIdOf({ version, token }: Pick<SecretVersion, "version" | "token">): string {
  return token ?? `00000000-0000-4000-8000-${String(version).padStart(12, "0")}`;
}

/** AWSCURRENT is the newest, AWSPREVIOUS the one before. */
export function stagesOf({ versions, currentVersion }: SecretDetails, { version }: SecretVersion): readonly string[] {
  if (version === currentVersion) return ["AWSCURRENT"];
  return version === versions.at(-2)?.version ? ["AWSPREVIOUS"] : [];
}

/** What names a version; both: they must agree. Neither: the current one. */
export interface WantedVersion {
  readonly VersionId?: string | undefined;
  readonly VersionStage?: string | undefined;
}

/** @throws AwsError `ResourceNotFoundException`. */
export function versionOf(
  details: SecretDetails,
  { VersionId: id, VersionStage: stage }: WantedVersion,
): SecretVersion {
  const wantedStage = stage ?? (id === undefined ? "AWSCURRENT" : undefined);
  const found = details.versions.find((version) => {
    if (id !== undefined && versionIdOf(version) !== id) return false;
    return wantedStage === undefined || stagesOf(details, version).includes(wantedStage);
  });
  if (found) return found;
  const wanted = [
    ...(id === undefined ? [] : [`id "${id.slice(0, 100)}"`]),
    ...(wantedStage === undefined ? [] : [`stage "${wantedStage.slice(0, 100)}"`]),
  ];
  const text = `secret "${details.name}" has no version of ${wanted.join(" and ")}`;
  throw new AwsError("ResourceNotFoundException", text);
}
