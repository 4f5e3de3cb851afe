import { useEffect, useState } from "preact/hooks";
import { useSession } from "../api/session";
import type { Queue } from "./queue";

/** The queue; the component is drawn anew whenever something in it changes. */
export function useQueue(): Queue {
  const { queue } = useSession();
  const [, redraw] = useState(0);
  useEffect(() => queue.listen(() => redraw((count) => count + 1)), [queue]);
  return queue;
}
