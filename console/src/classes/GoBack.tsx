import { useState } from "preact/hooks";
import { useSession } from "../api/session";
import { Confirm } from "../parts/Confirm";
import { say } from "../words";
import type { Served } from "./ClassPage";

interface Given {
  name: string;
  served: Served;
  onDone: (served: Served) => void;
}

/** Says what serves now, and stays in sight with the way back. */
export function GoBack({ name, served, onDone }: Given) {
  const [asks, setAsks] = useState(false);
  return (
    <div class="note undo" role="status">
      <p>{say("servesNow", { version: served.active, before: served.before })}</p>
      <button type="button" class="button plain" onClick={() => setAsks(true)}>
        {say("goBack")}
      </button>
      {asks && (
        <Serve
          name={name}
          version={served.before}
          serving={served.active}
          onServed={onDone}
          onClose={() => setAsks(false)}
        />
      )}
    </div>
  );
}

interface Asked {
  name: string;
  version: string;
  serving: string | undefined;
  onServed: (served: Served) => void;
  onClose: () => void;
}

/** Asks whether a version is to serve. */
export function Serve({ name, version, serving, onServed, onClose }: Asked) {
  const { service } = useSession();
  const act = async () => {
    const asked = service.api.POST("/classes/{class_name}/activate", {
      params: { path: { class_name: name } },
      body: { version },
    });
    onServed(await service.ask(asked));
  };
  return (
    <Confirm title={say("letServe")} deed={say("letServe")} act={act} onClose={onClose}>
      <p>{say("serveSays", { name, version })}</p>
      <p>{serving ? say("serveUndo", { version: serving }) : ""}</p>
    </Confirm>
  );
}
