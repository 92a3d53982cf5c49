/**
 * Who may MULTICAST to whom. Here everybody may; yours asks your contacts, teams or tenants. Called for each user that the sender names, and
 * one no refuses the whole message. Both are ids that the identity provider gave (`sub`). May be asynchronous; what it throws, the message is tried again.
 */
export type MayMessage = (from: string, to: string) => boolean | Promise<boolean>;

export const mayMessage: MayMessage = (_from, _to) => true;
