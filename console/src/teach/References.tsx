import { useEffect, useState } from "preact/hooks";
import { useLoaded } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Stored } from "../parts/Stored";
import { moment, say } from "../words";
import type { Change } from "./Changed";
import { Withdraw } from "./Withdraw";

export type Reference = Schema["ReferenceOut"];

const PAGE = 48;

interface Given {
  className: string;
  version: string;
  total: number;
  onChange: (change: Change) => void;
}

export function thumbnailOf(className: string, imageId: string, version: string): string {
  return `/classes/${encodeURIComponent(className)}/references/${imageId}/thumbnail?version=${version}`;
}

/** The reference images of a class, page by page, each of which can be withdrawn. */
export function References({ className, version, total, onChange }: Given) {
  const { service } = useSession();
  const [offset, setOffset] = useState(0);
  const [leaving, setLeaving] = useState<Reference | null>(null);
  const { value, failure, again } = useLoaded(
    (signal) => {
      const params = { path: { class_name: className }, query: { offset, limit: PAGE } };
      return service.ask(service.api.GET("/classes/{class_name}/references", { params, signal }));
    },
    [service, className, version, offset],
  );
  useEffect(() => {
    if (offset > 0 && offset >= total) setOffset(Math.max(0, offset - PAGE));
  }, [offset, total]);
  const last = Math.min(offset + PAGE, value?.total ?? total);
  return (
    <section class="sheet">
      <h2>{say("references")}</h2>
      {failure && <Failure failure={failure} again={again} />}
      <ul class="thumbnails all">
        {value?.references.map((reference) => (
          <li key={reference.image_id}>
            <Stored
              name="thumbnail"
              path={thumbnailOf(className, reference.image_id, value.version)}
              alt={reference.name}
            />
            <span class="name" title={reference.source}>
              {reference.name}
            </span>
            <span class="name">{told(reference)}</span>
            <button
              type="button"
              class="button plain withdraw"
              aria-label={say("withdrawNamed", { name: reference.name })}
              onClick={() => setLeaving(reference)}
            >
              {say("withdraw")}
            </button>
          </li>
        ))}
      </ul>
      <div class="actions">
        <button
          type="button"
          class="button plain"
          disabled={offset === 0}
          onClick={() => setOffset(Math.max(0, offset - PAGE))}
        >
          {say("previousPage")}
        </button>
        <span class="soft" role="status">
          {say("pageFrom", { first: total ? offset + 1 : 0, last, total: value?.total ?? total })}
        </span>
        <button
          type="button"
          class="button plain"
          disabled={last >= (value?.total ?? total)}
          onClick={() => setOffset(offset + PAGE)}
        >
          {say("followingPage")}
        </button>
      </div>
      {leaving && (
        <Withdraw
          className={className}
          version={version}
          reference={leaving}
          onDone={(change) => {
            setLeaving(null);
            onChange(change);
          }}
          onClose={() => setLeaving(null)}
        />
      )}
    </section>
  );
}

function told({ added_at, added_by, note, accepted_from }: Reference): string {
  const accepted = accepted_from ? say("acceptedFrom") : "";
  return [moment(added_at), added_by, accepted, note].filter(Boolean).join(" · ");
}
