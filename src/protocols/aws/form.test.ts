import { describe, expect, it } from "vitest";
import { readList, readTexts } from "./form.ts";

const read = (text: string, ...names: string[]) =>
  readList(new URLSearchParams(text), ...names).map((member) => Object.fromEntries(member));

describe("lists in form fields", () => {
  it("are read in the order of their numbers, whatever the order of the fields", () => {
    expect(read("A.2.Name=b&B.1=x&A.10.Name=c&A.1.Value=1&A.1.Name=a", "A")).toEqual([
      { Name: "a", Value: "1" },
      { Name: "b" },
      { Name: "c" },
    ]);
  });

  it("are as long as what was sent, whatever numbers it has", () => {
    expect(read("A.999999999.N=b&A.1.N=a", "A")).toEqual([{ N: "a" }, { N: "b" }]);
    expect(read("A.0.N=a&A.01.N=b&A.-1.N=c&A.1e3.N=d&A.9999999999.N=e&A.x.N=f&A.=g&A=h&A.1x=i", "A")).toEqual([]);
  });

  it("may be written in several ways, and stand in each other", () => {
    expect(read("M.1.Name=a&Ms.entry.2.Name=b&Mss.3.Name=c", "M", "Ms.entry")).toEqual([{ Name: "a" }, { Name: "b" }]);
    const [entry = new URLSearchParams()] = readList(
      new URLSearchParams("E.1.Id=i&E.1.M.1.Name=a&E.1.M.2.Name=b"),
      "E",
    );
    expect(readList(entry, "M").map((member) => member.get("Name"))).toEqual(["a", "b"]);
  });

  it("of texts are texts, each number's first", () => {
    expect(readTexts(new URLSearchParams("N.2=b&N.1=a&N.1=c&N.3.X=d&N.4="), "N")).toEqual(["a", "b", ""]);
  });
});
