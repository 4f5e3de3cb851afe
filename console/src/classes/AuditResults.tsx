import { Link } from "wouter-preact";
import { Mark } from "../parts/Mark";
import { Stored } from "../parts/Stored";
import { figure, percent, say } from "../words";
import { Coverage } from "./Coverage";
import type { AuditResult, Suspicious } from "./documents";

/** What an audit found, with pictures. They are of the audited version. */
export function AuditResults({ name, result }: { name: string; result: AuditResult }) {
  const picture = (image: string) =>
    `/classes/${name}/references/${image}/thumbnail?version=${encodeURIComponent(result.version)}`;
  const { images, near_duplicates: twins, suspects, references } = result;
  return (
    <>
      <h3>{say("suspectsTitle")}</h3>
      <p>
        {suspects === 0 ? (
          <Mark tone="good">{say("noSuspects", { all: references })}</Mark>
        ) : (
          <Mark tone="watch">{say("someSuspects", { count: suspects, all: references })}</Mark>
        )}
      </p>
      <p class="soft">
        {say("suspectsSay")} <Link href={`/teach/class/${name}`}>{say("changeReferences")}</Link>
      </p>
      <ul class="strip wide">
        {images.map((image) => (
          <li key={image.image_id} class={image.suspect ? "suspect" : ""}>
            <Boxed image={image} path={picture(image.image_id)} />
            {image.suspect && <Mark tone="watch">{say("suspect")}</Mark>}
            <span class="name">{image.name}</span>
            <span class="soft">{say("outlyingness", { value: figure(image.outlyingness, 2) })}</span>
          </li>
        ))}
      </ul>
      <h3>{say("twinsTitle")}</h3>
      {twins.length === 0 ? <Mark tone="good">{say("noTwins")}</Mark> : <p class="soft">{say("twinsSay")}</p>}
      <ul class="strip pairs">
        {twins.map(({ one, other, ratio, image_ids: [first, second] }) => (
          <li key={`${first} ${second}`}>
            <span class="pair">
              <Stored path={picture(first)} alt={one} name="thumb" />
              <Stored path={picture(second)} alt={other} name="thumb" />
            </span>
            <span class="name">{`${one} · ${other}`}</span>
            <span class="soft">{say("twinRatio", { ratio: percent(ratio, 2) })}</span>
          </li>
        ))}
      </ul>
      <Coverage coverage={result.coverage} />
    </>
  );
}

/** A reference with the place that is least like the others. */
function Boxed({ image, path }: { image: Suspicious; path: string }) {
  const { box, width, height } = image;
  return (
    <span class="boxed">
      <Stored path={path} alt={image.name} name="thumb" />
      {box && width && height && (
        <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          <rect x={box[0]} y={box[1]} width={box[2] - box[0]} height={box[3] - box[1]} />
        </svg>
      )}
    </span>
  );
}
