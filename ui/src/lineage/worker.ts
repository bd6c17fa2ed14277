// The worker that makes layouts, begun as soon as it is known that one will be needed: it takes longer to come than its answer.
let worker: Worker | undefined;

export function layouter(): Worker {
  worker ??= new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
  return worker;
}
