import { isIn, isNetwork, networksOf } from "../../lib/networks.ts";
import { limits } from "../limits.ts";
import type { Literal } from "./filter-item.ts";

/** `values`: all that stand at the place; undefined when there is nothing. One that matches is enough. */
type Condition = (values: readonly Literal[] | undefined) => boolean;
type Test = (value: Literal) => boolean;
type Fail = (problem: string) => Error;
type Operator = readonly [name: string, operand: unknown];

/**
 * Operators with what they compare with, such as `{"prefix": "a"}`. Networks are one condition, for a value has to be read as an address: in a
 * list of 25,000 that takes 20 ms, and each of 150 networks would do it again.
 * @param fail makes the error that is thrown of a sentence's end.
 */
export function toConditions(list: readonly unknown[], fail: Fail): readonly Condition[] {
  const all = list.map((condition) => operatorOf(condition, fail));
  const networks = all.filter(([operator]) => operator === "cidr").map(([, operand]) => operand);
  const conditions = all.filter(([operator]) => operator !== "cidr").map((one) => toCondition(one, fail));
  return networks.length === 0 ? conditions : [...conditions, someOf(inNetworks(networks, fail))];
}

function toCondition([operator, operand]: Operator, fail: Fail): Condition {
  if (operator === "exists") {
    if (typeof operand !== "boolean") throw fail("has an exists that is neither true nor false");
    return (values) => (values !== undefined) === operand;
  }
  return someOf(toTest(operator, operand, fail));
}

function someOf(test: Test): Condition {
  return (values) => values?.some(test) === true;
}

function operatorOf(condition: unknown, fail: Fail): Operator {
  const isObject = typeof condition === "object" && condition !== null && !Array.isArray(condition);
  const [operator, ...more] = isObject ? Object.entries(condition) : [];
  if (!operator || more.length > 0) {
    throw fail('must list strings, numbers, true, false, null, or objects with one operator like {"prefix": "a"}');
  }
  return operator;
}

function toTest(operator: string, operand: unknown, fail: Fail): Test {
  switch (operator) {
    case "prefix":
    case "suffix":
    case "equals-ignore-case":
      return textTest(operator, operand, fail);
    case "anything-but":
      return anythingBut(operand, fail);
    case "numeric":
      return numeric(operand, fail);
    default:
      throw fail(
        `has the operator "${operator.slice(0, 50)}"; known are prefix, suffix, equals-ignore-case, anything-but, numeric, exists and cidr`,
      );
  }
}

type TextOperator = "prefix" | "suffix" | "equals-ignore-case";

function textTest(operator: TextOperator, operand: unknown, fail: Fail): Test {
  if (typeof operand !== "string" || operand === "") throw fail(`has a ${operator} that is no text`);
  const lower = operand.toLowerCase();
  const test: Readonly<Record<TextOperator, (text: string) => boolean>> = {
    prefix: (text) => text.startsWith(operand),
    suffix: (text) => text.endsWith(operand),
    "equals-ignore-case": (text) => text.toLowerCase() === lower,
  };
  return (value) => typeof value === "string" && test[operator](value);
}

/** None of these; of one that is missing it says nothing, so that does not match. */
function anythingBut(operand: unknown, fail: Fail): Test {
  if (typeof operand === "object" && operand !== null && !Array.isArray(operand)) {
    const [operator, text] = operatorOf(operand, fail);
    if (operator !== "prefix" && operator !== "suffix" && operator !== "equals-ignore-case") {
      throw fail("has an anything-but with an operator other than prefix, suffix and equals-ignore-case");
    }
    const test = textTest(operator, text, fail);
    return (value) => !test(value);
  }
  const list: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  const isRight = list.every((one) => typeof one === "string" || Number.isFinite(one));
  if (list.length === 0 || !isRight) throw fail("has an anything-but that is no string, number, or list of these");
  const unwanted = new Set<unknown>(list);
  return (value) => !unwanted.has(value);
}

const comparisons: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  "=": (value, bound) => value === bound,
  "<": (value, bound) => value < bound,
  "<=": (value, bound) => value <= bound,
  ">": (value, bound) => value > bound,
  ">=": (value, bound) => value >= bound,
};

/** `["=", 1]`, `[">", 0]`, or a range: `[">", 0, "<=", 5]`. */
function numeric(operand: unknown, fail: Fail): Test {
  if (!Array.isArray(operand) || (operand.length !== 2 && operand.length !== 4)) {
    throw fail('has a numeric that is no list like ["=", 1] or [">", 0, "<=", 5]');
  }
  const [first, lower, second, upper] = operand;
  if (operand.length === 4 && !(/^>=?$/.test(first) && /^<=?$/.test(second) && lower < upper)) {
    throw fail('has a numeric range that is not like [">", 0, "<=", 5]');
  }
  const tests = [compareWith(first, lower, fail), ...(operand.length === 4 ? [compareWith(second, upper, fail)] : [])];
  return (value) => typeof value === "number" && tests.every((test) => test(value));
}

function compareWith(comparison: unknown, bound: unknown, fail: Fail): (value: number) => boolean {
  const compare = typeof comparison === "string" && Object.hasOwn(comparisons, comparison) && comparisons[comparison];
  if (!compare) throw fail('has a numeric whose comparison is none of "=", "<", "<=", ">", ">="');
  const { numberMax } = limits.filter;
  if (typeof bound !== "number" || Math.abs(bound) > numberMax) {
    throw fail(`has a numeric whose bound is no number >= -${numberMax} and <= ${numberMax}`);
  }
  return (value) => compare(value, bound);
}

function inNetworks(operands: readonly unknown[], fail: Fail): Test {
  const isRight = (operand: unknown): operand is string => typeof operand === "string" && isNetwork(operand);
  if (!operands.every(isRight)) throw fail("has a cidr that is no network like 10.0.0.0/8");
  const networks = networksOf(operands);
  return (value) => typeof value === "string" && isIn(networks, value);
}
