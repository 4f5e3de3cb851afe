import { useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Stored } from "../parts/Stored";
import { figure, moment, say } from "../words";

const PAGE = 24;

/** The pictures that the class was taught, page by page. Changing them is Teach's. */
export function References({ name, version }: { name: string; version: string }) {
  const { service } = useSession();
  const [offset, setOffset] = useState(0);
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/references", {
          params: { path: { class_name: name }, query: { offset, limit: PAGE } },
          signal,
        }),
      ),
    [service, name, version, offset],
  );
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("loading")}</p>;
  const last = Math.min(offset + PAGE, value.total);
  return (
    <section class="sheet">
      <p class="row">
        <span>{say("pageOf", { from: offset + 1, to: last, all: figure(value.total, 9) })}</span>
        <span class="space" />
        <Link href={`/teach/class/${name}`} class="button plain">
          {say("changeReferences")}
        </Link>
      </p>
      <ul class="strip wide">
        {value.references.map((reference) => (
          <li key={reference.image_id}>
            <Stored
              path={`/classes/${name}/references/${reference.image_id}/thumbnail`}
              alt={reference.name}
              name="thumb"
            />
            <span class="name">{reference.name}</span>
            <span class="soft">{moment(reference.added_at)}</span>
            {reference.added_by && <span class="soft name">{reference.added_by}</span>}
            {reference.accepted_from && <span class="soft">{say("acceptedOnce")}</span>}
            {reference.note && <span class="name">{reference.note}</span>}
          </li>
        ))}
      </ul>
      {value.total > PAGE && (
        <p class="actions">
          <button
            type="button"
            class="button plain"
            disabled={offset === 0}
            onClick={() => setOffset(Math.max(0, offset - PAGE))}
          >
            {say("pageBefore")}
          </button>
          <button
            type="button"
            class="button plain"
            disabled={last >= value.total}
            onClick={() => setOffset(offset + PAGE)}
          >
            {say("pageAfter")}
          </button>
        </p>
      )}
    </section>
  );
}
