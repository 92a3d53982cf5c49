import { TodokuError } from "../../../domain/errors.ts";

/** The only attribute that expressions may name. */
const keyName = "user_id";

/** An attribute of DynamoDB. */
type DynamodbValue = { readonly S: string } | { readonly N: string };

/** What stands for the names and values of an expression. */
export interface Placeholders {
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>> | undefined;
  readonly ExpressionAttributeValues?: Readonly<Record<string, DynamodbValue>> | undefined;
}

const name = "(#?[A-Za-z_][A-Za-z0-9_]*|#[A-Za-z0-9_]+)";
const value = ":[A-Za-z0-9_]+";
const equals = new RegExp(`^${name} ?= ?(${value})$`);
const notIn = new RegExp(`^NOT ?${name} IN ?\\( ?(${value}(?: ?, ?${value})*) ?\\)$`, "i");
// The article writes NOT(#user_id in (:id0)), boto3's conditions (NOT #n0 IN (:v0, :v1)).
const notOfIn = new RegExp(`^NOT ?\\( ?${name} IN ?\\( ?(${value}(?: ?, ?${value})*) ?\\) ?\\)$`, "i");

/** The user of `#n0 = :v0`. @throws TodokuError `invalid_argument`. */
export function readUser(expression: string, placeholders: Placeholders): string {
  const [, field, wanted] = equals.exec(simplify(expression)) ?? [];
  if (field === undefined || wanted === undefined || !isKey(field, placeholders)) {
    throw unsupported("KeyConditionExpression", `"${keyName} = :value"`);
  }
  return toUserId(wanted, placeholders);
}

/** The users that `NOT(#user_id in (:id0))` leaves out. @throws TodokuError `invalid_argument`. */
export function readExceptions(expression: string, placeholders: Placeholders): ReadonlySet<string> {
  const simple = simplify(expression);
  const bare = /^\((.*)\)$/s.exec(simple)?.[1]?.trim() ?? simple;
  const [, field, list] = notOfIn.exec(bare) ?? notIn.exec(bare) ?? [];
  if (field === undefined || list === undefined || !isKey(field, placeholders)) {
    throw unsupported("FilterExpression", `"NOT(${keyName} in (:value, ...))"`);
  }
  return new Set(list.split(",").map((one) => toUserId(one.trim(), placeholders)));
}

function simplify(expression: string): string {
  return expression.trim().replace(/\s+/g, " ");
}

function isKey(field: string, { ExpressionAttributeNames: names = {} }: Placeholders): boolean {
  const named = field.startsWith("#") && Object.hasOwn(names, field) ? names[field] : field;
  return named === keyName;
}

function toUserId(wanted: string, { ExpressionAttributeValues: values = {} }: Placeholders): string {
  const found = Object.hasOwn(values, wanted) ? values[wanted] : undefined;
  if (found && "S" in found) return found.S;
  throw new TodokuError("invalid_argument", `"ExpressionAttributeValues": "${wanted}" must be {"S": "<a user id>"}`);
}

function unsupported(field: string, offered: string): TodokuError {
  return new TodokuError("invalid_argument", `"${field}": only ${offered} is offered`);
}
