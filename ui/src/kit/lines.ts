// The difference of two texts, line by line, and the parts of a patch. No drawing here.
export interface DiffLine {
  sign: " " | "+" | "-" | "@";
  text: string;
}

const MOST = 4000; // lines of one side; more is compared only where its ends differ

/** What turns `a` into `b`, with some unchanged lines around each change; empty when they are the same. */
export function lineDiff(a: string, b: string, around = 3): DiffLine[] {
  if (a === b) return [];
  const [left, right] = [a.split("\n"), b.split("\n")];
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let tail = 0;
  while (tail < left.length - head && tail < right.length - head && left[left.length - 1 - tail] === right[right.length - 1 - tail]) tail += 1;
  const middle = between(left.slice(head, left.length - tail), right.slice(head, right.length - tail));
  const whole: DiffLine[] = [...left.slice(Math.max(0, head - around), head).map(same), ...middle, ...left.slice(left.length - tail, left.length - tail + around).map(same)];
  return folded(whole, around);
}

const same = (text: string): DiffLine => ({ sign: " ", text });

/** Longest common subsequence by rows; what is too large for that is taken away and added as a whole. */
function between(left: string[], right: string[]): DiffLine[] {
  const all = [...left.map((text): DiffLine => ({ sign: "-", text })), ...right.map((text): DiffLine => ({ sign: "+", text }))];
  if (!left.length || !right.length || left.length > MOST || right.length > MOST || left.length * right.length > 4_000_000) return all;
  const width = right.length + 1;
  const best = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1)
    for (let j = right.length - 1; j >= 0; j -= 1)
      best[i * width + j] = left[i] === right[j] ? (best[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(best[(i + 1) * width + j] ?? 0, best[i * width + j + 1] ?? 0);
  const found: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      found.push(same(left[i] ?? ""));
      i += 1;
      j += 1;
    } else if ((best[(i + 1) * width + j] ?? 0) >= (best[i * width + j + 1] ?? 0)) found.push({ sign: "-", text: left[i++] ?? "" });
    else found.push({ sign: "+", text: right[j++] ?? "" });
  }
  return [...found, ...left.slice(i).map((text): DiffLine => ({ sign: "-", text })), ...right.slice(j).map((text): DiffLine => ({ sign: "+", text }))];
}

/** Long stretches of unchanged lines become one that counts them. */
function folded(lines: DiffLine[], around: number): DiffLine[] {
  const found: DiffLine[] = [];
  let from = 0;
  while (from < lines.length) {
    let to = from;
    while (to < lines.length && lines[to]?.sign === " ") to += 1;
    const quiet = to - from;
    const before = from === 0 ? 0 : around;
    const after = to === lines.length ? 0 : around;
    if (quiet > before + after + 1) {
      found.push(...lines.slice(from, from + before), { sign: "@", text: `@@ ${quiet - before - after} @@` }, ...lines.slice(to - after, to));
    } else found.push(...lines.slice(from, to));
    if (to < lines.length) found.push(lines[to] as DiffLine);
    from = to + 1;
  }
  return found;
}

/** The files of a git patch: path and what follows it, in the patch's order. */
export function patchFiles(patch: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of patch.split(/^(?=diff --git )/m)) {
    const path = /^diff --git "?a\/.*? "?b\/(.*?)"?$/m.exec(part)?.[1];
    if (path) found.set(path, part.replace(/^diff --git .*\n(?:index .*\n)?/, ""));
  }
  return found;
}
