import icon from "../icon.svg";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, keepToken, Refused } from "../api/client";
import { t } from "../text";

/** Asks for a token; shown whenever the server wants one. */
export function SignIn() {
  const client = useQueryClient();
  const [shown, setShown] = useState("");
  const [remember, setRemember] = useState(false);
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setWrong("");
    keepToken(shown.trim(), remember);
    try {
      await api.whoami();
      await client.invalidateQueries();
    } catch (error) {
      const refused = error instanceof Refused ? error : undefined;
      // A token that may not look is known all the same.
      if (refused?.status === 403) await client.invalidateQueries();
      else {
        keepToken("", false);
        setWrong(refused?.status === 401 ? t.signin.wrong : refused?.message || t.error.none);
      }
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="signin">
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div className="row"><img src={icon} width="28" height="28" alt="" /><h1>{t.signin.title}</h1></div>
        <p className="muted">{t.signin.lead}</p>
        <label className="field">
          {t.signin.token}
          <input className="input mono" type="password" autoComplete="current-password" autoFocus required value={shown} aria-invalid={wrong !== ""} aria-describedby="wrong" onChange={(event) => setShown(event.target.value)} placeholder={t.signin.example} />
        </label>
        <p id="wrong" role="alert" className="down">{wrong}</p>
        <label className="check"><input type="checkbox" checked={remember} onChange={(event) => setRemember(event.target.checked)} />{t.signin.remember}</label>
        <button className="button primary" type="submit" disabled={busy}>{t.signin.submit}</button>
        <p className="muted">{t.signin.how}<br /><code>{t.signin.howCode}</code></p>
      </form>
    </main>
  );
}
