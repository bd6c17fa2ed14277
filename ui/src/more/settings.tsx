import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, keepToken, Refused, token as shownToken } from "../api/client";
import { Head } from "../app/head";
import { KeyList } from "../app/shell";
import { type Appearance, appearance, setAppearance } from "../app/theme";
import { copy, Loaded, Panel, Plain, State, Time } from "../kit/parts";
import { t } from "../text";

export function SettingsPage() {
  const who = useQuery({ queryKey: ["whoami"], queryFn: ({ signal }) => api.whoami(signal) });
  const [look, setLook] = useState<Appearance>(appearance());
  return (
    <div className="page">
      <Head crumbs={[{ label: t.settings.title }]} />
      <h1>{t.settings.title}</h1>
      <div className="grid">
        <div className="s4 stackgrid">
          <Panel title={t.settings.appearance}>
            <div className="seg" role="group" aria-label={t.settings.appearance}>
              {(["system", "light", "dark"] as const).map((one) => <button key={one} type="button" aria-pressed={look === one} onClick={() => { setAppearance(one); setLook(one); }}>{t.settings[one]}</button>)}
            </div>
          </Panel>
          <Panel title={t.settings.you} aside={shownToken() ? <button type="button" className="button small" onClick={() => { keepToken("", false); window.location.reload(); }}>{t.signin.out}</button> : null}>
            <Loaded of={who}>{(me) => <dl className="facts"><dt>{t.settings.who}</dt><dd><Plain>{me.actor}</Plain></dd><dt>{t.settings.may}</dt><dd>{me.permissions.join(", ")}</dd><dt>{t.settings.namespace}</dt><dd><Plain>{me.namespace}</Plain></dd><dt>{t.settings.version}</dt><dd>{me.version}</dd></dl>}</Loaded>
          </Panel>
          <Panel title={t.settings.keys}><KeyList of={t.settings.keyList} /></Panel>
        </div>
        <div className="s8">{who.data ? who.data.permissions.includes("store:admin") ? <Tokens /> : <Panel title={t.settings.tokens}><p className="muted">{t.settings.tokensNo}</p></Panel> : null}</div>
      </div>
    </div>
  );
}

function Tokens() {
  const client = useQueryClient();
  const found = useQuery({ queryKey: ["tokens"], queryFn: ({ signal }) => api.tokens(signal) });
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [days, setDays] = useState("");
  const [made, setMade] = useState("");
  const [problem, setProblem] = useState("");
  const create = async () => {
    setProblem("");
    try {
      const { text, id, digest } = await newToken();
      await api.tokenCreate({ name, id, digest, scopes: [role], expires_at: days ? (Date.now() + Number(days) * 86_400_000) * 1000 : null });
      setMade(text);
      setName("");
      // The first token locks everybody out who has none; this browser keeps the one it made if that may administer.
      if (!shownToken() && role === "admin") keepToken(text, false);
      await client.invalidateQueries({ queryKey: ["tokens"] });
    } catch (error) {
      setProblem(error instanceof Refused ? error.message || t.error.none : String(error));
    }
  };
  const revoke = async (id: string, whose: string) => {
    if (!window.confirm(t.settings.revokeAsk(whose))) return;
    try {
      await api.tokenRevoke(id);
      await client.invalidateQueries({ queryKey: ["tokens"] });
    } catch (error) {
      setProblem(error instanceof Refused ? error.message || t.error.none : String(error));
    }
  };
  return (
    <Panel title={t.settings.tokens} flush>
      <div className="stack" style={{ padding: "0 16px 14px", gap: 12 }}>
        {window.isSecureContext ? (
          <form className="row wrap" style={{ alignItems: "flex-end" }} onSubmit={(event) => { event.preventDefault(); void create(); }}>
            <label className="field grow">{t.settings.tokenName}<input className="input" required maxLength={128} value={name} onChange={(event) => setName(event.target.value)} /></label>
            <label className="field">{t.settings.scope}<select className="input" value={role} onChange={(event) => setRole(event.target.value)}>{Object.entries(t.settings.roles).map(([key, label]) => <option key={key} value={key}>{label}</option>)}</select></label>
            <label className="field">{t.settings.days}<input className="input" type="number" min="1" max="36500" value={days} onChange={(event) => setDays(event.target.value)} /></label>
            <button type="submit" className="button primary">{t.settings.create}</button>
          </form>
        ) : <p className="note warn">{t.settings.insecure}</p>}
        {problem ? <p className="note bad" role="alert"><Plain>{problem}</Plain></p> : null}
        {made ? <div className="note good" role="status"><p>{t.settings.created}</p><div className="row wrap"><code style={{ overflowWrap: "anywhere" }}>{made}</code><button type="button" className="button small" onClick={() => void copy(made, t.settings.copied)}>{t.settings.copy}</button></div></div> : null}
        {found.data && !found.data.tokens.length ? <p className="muted">{t.settings.notokens} {t.settings.warn}</p> : null}
      </div>
      <Loaded of={found}>
        {({ tokens }) => tokens.length ? (
          <div className="tablewrap" tabIndex={0} role="region" aria-label={t.settings.tokens}><table className="list">
            <thead><tr><th>{t.settings.tokenName}</th><th>{t.settings.scope}</th><th>{t.settings.state}</th><th>{t.settings.made}</th><th>{t.settings.used}</th><th><span className="visually-hidden">{t.settings.revoke}</span></th></tr></thead>
            <tbody>{tokens.map((one) => <tr key={one.id}><td><Plain>{one.name}</Plain> <span className="mono muted">{one.id}</span></td><td>{one.scopes.join(", ")}</td><td><State state={one.state} /></td><td><Time at={one.recorded_at} /></td><td>{one.used_at ? <Time at={one.used_at} /> : t.time.never}</td><td>{one.state === "valid" ? <button type="button" className="button small danger" onClick={() => void revoke(one.id, one.name)}>{t.settings.revoke}</button> : null}</td></tr>)}</tbody>
          </table></div>
        ) : null}
      </Loaded>
    </Panel>
  );
}

/** A token as the command line makes it: the secret is made here and only its digest leaves this browser. */
async function newToken(): Promise<{ text: string; id: string; digest: string }> {
  const hex = (all: Uint8Array) => [...all].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const id = hex(crypto.getRandomValues(new Uint8Array(6)));
  const secret = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32)))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret))));
  return { text: `lin_${id}_${secret}`, id, digest };
}
