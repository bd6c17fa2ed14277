import { describe, expect, test } from "vitest";
import { lineText, terminal } from "./ansi";
import { lineDiff, patchFiles } from "./lines";

describe("what a program printed", () => {
  test("colours become classes and go on over lines until they are switched off", () => {
    const [one, two, three] = terminal("a\u001b[31mred\nstill\u001b[0m off\nplain");
    expect(one).toEqual([{ text: "a", style: "" }, { text: "red", style: "ansi-red" }]);
    expect(two).toEqual([{ text: "still", style: "ansi-red" }, { text: " off", style: "" }]);
    expect(three).toEqual([{ text: "plain", style: "" }]);
  });
  test("256 and true colours come to the nearest of the eight", () => {
    expect(terminal("\u001b[38;5;196mx")[0]?.[0]?.style).toBe("ansi-red");
    expect(terminal("\u001b[1;38;2;10;250;20mx")[0]?.[0]?.style).toBe("ansi-green ansi-bold");
  });
  test("titles, links and cursor moves leave nothing behind", () => {
    expect(terminal("\u001b]0;title\u0007a\u001b]8;;javascript:alert(1)\u001b\\link\u001b]8;;\u001b\\\u001b[2K\u001b[1A!").map(lineText)).toEqual(["alink!"]);
    expect(terminal("\u001b]0;never ended").map(lineText)).toEqual([""]);
  });
  test("a progress bar shows its last state", () => {
    expect(terminal("10%\r50%\r100%\ndone\r").map(lineText)).toEqual(["100%", "done"]);
  });
  test("markup stays text, signs that turn the writing direction are boxes", () => {
    expect(lineText(terminal("<b>\u202egpj")[0] ?? [])).toBe("<b>\u25afgpj");
  });
});

describe("the difference of texts", () => {
  test("applying it to the first gives the second", () => {
    const dice = (seed: number) => () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648);
    for (let n = 1; n < 60; n += 1) {
      const next = dice(n);
      const a = Array.from({ length: Math.floor(next() * 12) }, () => String(Math.floor(next() * 4)));
      const b = Array.from({ length: Math.floor(next() * 12) }, () => String(Math.floor(next() * 4)));
      const all = lineDiff(a.join("\n"), b.join("\n"), 1000);
      if (a.join("\n") === b.join("\n")) expect(all).toEqual([]);
      else {
        expect(all.filter((line) => line.sign !== "+").map((line) => line.text).join("\n")).toBe(a.join("\n"));
        expect(all.filter((line) => line.sign !== "-").map((line) => line.text).join("\n")).toBe(b.join("\n"));
      }
    }
  });
  test("unchanged stretches are folded to a line that counts them", () => {
    const long = Array.from({ length: 50 }, (_, n) => `line ${n}`);
    const other = long.with(3, "x").with(40, "y");
    const all = lineDiff(long.join("\n"), other.join("\n"));
    expect(all.filter((line) => line.sign === "@")).toEqual([{ sign: "@", text: "@@ 30 @@" }]);
    expect(all.length).toBeLessThan(25);
  });
  test("a patch is taken apart into its files", () => {
    const files = patchFiles("diff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\ndiff --git a/d/y b/d/y\nnew file mode 100644\n--- /dev/null\n");
    expect([...files.keys()]).toEqual(["x.py", "d/y"]);
    expect(files.get("x.py")).toContain("+b");
  });
});
