import type { StoredRecord } from "../records/store.ts";

/** An environment's own record, of kind `environment`: both its environment and its name are the environment's name. */
export type EnvironmentKey = Pick<StoredRecord, "name" | "id">;

/** What an engine must do for whole environments. The laws are in store.contract.ts. */
export interface EnvironmentStore {
  /** Every environment that has a record of any kind. */
  names(): Promise<readonly string[]>;
  /**
   * One bounded step of removing all that lies in an environment, its own record last; true while there is more. From the first step on
   * nothing can be added to it: `RecordStore.create` answers `not_found` until its own record is made anew. Where the record has another id
   * or is gone, nothing is touched: whoever comes late must not empty what was made anew. @throws TodokuError `unavailable`.
   */
  forget(environment: EnvironmentKey): Promise<boolean>;
}
