// Every English word of the page stands in text.ts: no element and no attribute that people read has a text of its own.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const SPOKEN = new Set(["title", "aria-label", "placeholder", "alt", "label", "aria-description"]);
const WORD = /[A-Za-z]{2,}/;
const NAMES = /^Python$/; // the same in every language

function strays(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const note = (node: ts.Node, text: string) => {
    if (WORD.test(text) && !NAMES.test(text.trim())) found.push(`${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${text.trim().slice(0, 60)}`);
  };
  const literal = (node: ts.Node | undefined): void => {
    if (!node) return;
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) note(node, node.text);
    else if (ts.isJsxExpression(node)) literal(node.expression);
    else if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(literal);
    else if (ts.isTemplateExpression(node)) note(node, [node.head, ...node.templateSpans.map((span) => span.literal)].map((part) => part.text).join(" "));
  };
  const walk = (node: ts.Node): void => {
    if (ts.isJsxText(node)) note(node, node.text);
    else if (ts.isJsxExpression(node) && !ts.isJsxAttribute(node.parent)) literal(node);
    else if (ts.isJsxAttribute(node) && SPOKEN.has(node.name.getText())) literal(node.initializer);
    ts.forEachChild(node, walk);
  };
  walk(source);
  return found;
}

test("no text that people read stands outside of text.ts", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tsx"));
  expect(files.length).toBeGreaterThan(20);
  expect(files.flatMap((name) => strays(join("src", name)))).toEqual([]);
});
