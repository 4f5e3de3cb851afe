import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Queue } from "../inspect/queue";
import type { ClassSummary, Service } from "./service";

/** What every view is given: the service, and the classes that it knows. */
export interface Session {
  readonly service: Service;
  readonly classes: readonly ClassSummary[];
  /** Pictures that were given to be judged: they stay while one looks at another view. */
  readonly queue: Queue;
  /** Asks for the classes anew: after one was taught, changed or removed. */
  readonly reload: () => void;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("no session around this view");
  return session;
}
