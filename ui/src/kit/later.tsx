// Parts of the page that come when they are needed. One that is there already is drawn at once: React would first show what stands in
// for it, and then keep that for a third of a second.
import { type ComponentType, lazy, useState } from "react";

export type Later<P> = ComponentType<P> & { fetch: () => Promise<void> };

/** The part that `load` brings. fetch: send for it now. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): Later<P> {
  let ready: ComponentType<P> | undefined;
  const loaded = async () => {
    ready = await load();
    return { default: ready };
  };
  const Waiting = lazy(loaded) as unknown as ComponentType<P>;
  function Part(props: P) {
    const [Shown] = useState(() => ready ?? Waiting); // not exchanged once it is drawn, which would begin it anew
    return <Shown {...props} />;
  }
  return Object.assign(Part, { fetch: async () => void (await loaded()) });
}
