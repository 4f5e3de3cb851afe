import { useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { useLoaded } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Confirm } from "../parts/Confirm";
import { Failure } from "../parts/Failure";
import { Stored } from "../parts/Stored";
import { figure, moment, say } from "../words";
import type { ClassDetail, Served } from "./ClassPage";

const DETECTION = /^[0-9a-f]{32}$/;

function sourceOf(source: string): string {
  return DETECTION.test(source) ? say("fromDetection") : source;
}

interface Given {
  detail: ClassDetail;
  onServed: (served: Served) => void;
}

/** The defects that people have named, each with the place that shows it. */
export function Defects({ detail, onServed }: Given) {
  const { service } = useSession();
  const name = detail.class_name;
  const [chosen, setChosen] = useState<Schema["KnownDefectOut"]>();
  const { value, failure, again } = useLoaded(
    (signal) => {
      const asked = service.api.GET("/classes/{class_name}/defects", {
        params: { path: { class_name: name } },
        signal,
      });
      return service.ask(asked) as Promise<Schema["DefectList"]>; // the client's types forget how many numbers a box has
    },
    [service, name, detail.version],
  );
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("loading")}</p>;
  const forget = async (defect: Schema["KnownDefectOut"]) => {
    const removed = await service.ask(
      service.api.DELETE("/classes/{class_name}/defects/{defect_id}", {
        params: { path: { class_name: name, defect_id: defect.id } },
      }),
    );
    onServed({ before: removed.before, active: removed.version });
  };
  return (
    <section class="sheet">
      <p class="soft">{say("defectsSay")}</p>
      {value.total === 0 && (
        <p>
          {say("noDefects")} <Link href="/review">{say("toReview")}</Link>
        </p>
      )}
      {value.total > 0 && (
        <p>{say("defectPatches", { patches: figure(value.patches, 9), most: figure(1000, 9) })}</p>
      )}
      <ul class="strip wide">
        {value.defects.map((defect) => (
          <li key={defect.id}>
            <Stored
              path={`/classes/${name}/defects/${defect.id}/thumbnail?version=${value.version}`}
              alt={defect.name}
              name="thumb"
            />
            <strong class="name">{defect.name}</strong>
            <span class="soft">
              {moment(defect.added_at)}
              {defect.added_by && ` · ${defect.added_by}`}
            </span>
            {defect.source && <span class="soft name">{sourceOf(defect.source)}</span>}
            {defect.note && <span class="name">{defect.note}</span>}
            <button type="button" class="button plain" onClick={() => setChosen(defect)}>
              {say("forgetDefect")}
            </button>
          </li>
        ))}
      </ul>
      {chosen && (
        <Confirm
          title={say("forgetTitle", { name: chosen.name })}
          deed={say("forgetDefect")}
          act={() => forget(chosen)}
          onClose={() => setChosen(undefined)}
        >
          <p>{say("forgetSays", { name: chosen.name, version: detail.version })}</p>
        </Confirm>
      )}
    </section>
  );
}
