// Markdown of users as elements. No HTML passes through: every text becomes a text node, and links lead to the web only.
import { Fragment, type ReactNode } from "react";
import { plain } from "./format";

export function Markdown({ text }: { text: string }) {
  const blocks: ReactNode[] = [];
  const lines = plain(text).slice(0, 100_000).split(/\r?\n/);
  let i = 0;
  while (i < lines.length) {
    const line = lines[i] ?? "";
    const key = blocks.length;
    if (!line.trim()) {
      i += 1;
    } else if (line.startsWith("```")) {
      const code: string[] = [];
      i += 1;
      while (i < lines.length && !(lines[i] ?? "").startsWith("```")) code.push(lines[i++] ?? "");
      i += 1;
      blocks.push(<pre key={key} className="code">{code.join("\n")}</pre>);
    } else if (/^#{1,6}\s/.test(line)) {
      blocks.push(<h3 key={key}>{inline(line.replace(/^#+\s+/, ""))}</h3>);
      i += 1;
    } else if (/^\s*([-*]|\d+[.)])\s+/.test(line)) {
      const ordered = /^\s*\d/.test(line);
      const items: string[] = [];
      while (i < lines.length && /^\s*([-*]|\d+[.)])\s+/.test(lines[i] ?? "")) items.push((lines[i++] ?? "").replace(/^\s*([-*]|\d+[.)])\s+/, ""));
      const inner = items.map((item, n) => <li key={n}>{inline(item)}</li>);
      blocks.push(ordered ? <ol key={key}>{inner}</ol> : <ul key={key}>{inner}</ul>);
    } else {
      const quote = line.startsWith(">");
      const words: string[] = [];
      while (i < lines.length && (lines[i] ?? "").trim() && !/^(#{1,6}\s|```|\s*[-*]\s)/.test(lines[i] ?? "")) words.push((lines[i++] ?? "").replace(/^>\s?/, ""));
      if (!words.length) words.push((lines[i++] ?? ""));
      blocks.push(quote ? <blockquote key={key}>{inline(words.join(" "))}</blockquote> : <p key={key}>{inline(words.join(" "))}</p>);
    }
  }
  return <div className="md">{blocks}</div>;
}

const INLINE = /(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\([^)\s]+\))/;

function inline(text: string): ReactNode {
  return text.split(INLINE).map((part, n) => {
    if (n % 2 === 0) return <Fragment key={n}>{part}</Fragment>;
    if (part.startsWith("`")) return <code key={n}>{part.slice(1, -1)}</code>;
    if (part.startsWith("**")) return <strong key={n}>{part.slice(2, -2)}</strong>;
    if (part.startsWith("*")) return <em key={n}>{part.slice(1, -1)}</em>;
    const found = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(part);
    const safe = found?.[2] && /^https?:\/\//i.test(found[2]) ? found[2] : undefined;
    return safe ? <a key={n} href={safe} rel="noreferrer noopener" target="_blank">{found?.[1]}</a> : <Fragment key={n}>{found?.[1] ?? part}</Fragment>;
  });
}
