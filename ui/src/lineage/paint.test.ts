import { expect, it } from "vitest";
import { node } from "./made";
import { chip, columnAt } from "./paint";
import { boxOf, MOST_ROWS } from "./scene";

it("finds the column of a card at a height, and none beside the rows that are drawn", () => {
  const tall = node("t", { columns: Array.from({ length: MOST_ROWS + 3 }, (_, n) => `c${n}`) });
  expect(columnAt(tall, 30)).toBeUndefined();
  expect(columnAt(tall, 60)).toBe("c0");
  expect(columnAt(tall, 60 + 19 * 4)).toBe("c4");
  expect(columnAt(tall, boxOf(tall).h - 10)).toBeUndefined();
  expect(columnAt(node("p"), 60)).toBeUndefined();
});

it("puts the count of what is hidden beside its card", () => {
  const one = node("a", { up: { count: 3, exact: true }, down: { count: 1200, exact: false } });
  const [spot, box] = [{ x: 100, y: 50 }, boxOf(one)];
  const [up, down] = [chip(one, spot, box, "up"), chip(one, spot, box, "down")];
  expect(up.x + up.w / 2).toBeLessThan(spot.x);
  expect(down.x - down.w / 2).toBeGreaterThan(spot.x + box.w);
  expect(down.w).toBeGreaterThan(up.w);
});
