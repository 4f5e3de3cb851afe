import { Link } from "wouter-preact";
import { figure, percent, say } from "../words";
import { told } from "./Charts";
import { judgedParts, type Overview, rejectShare } from "./numbers";

/** What was judged of each class in the whole range. */
export function ClassTable({ overview }: { overview: Overview }) {
  return (
    <section class="sheet scrolled">
      <table class="numbers wide">
        <caption>{say("classTable")}</caption>
        <thead>
          <tr>
            <th scope="col">{say("className")}</th>
            <th scope="col">{say("images")}</th>
            <th scope="col">{say("pass")}</th>
            <th scope="col">{say("review")}</th>
            <th scope="col">{say("reject")}</th>
            <th scope="col">{say("rejectRate")}</th>
            <th scope="col">{say("cameraFault")}</th>
            <th scope="col">{say("usualTime")}</th>
            <th scope="col">{say("slowTime")}</th>
          </tr>
        </thead>
        <tbody>
          {overview.classes.map(({ class_name: name, total }) => (
            <tr key={name ?? ""}>
              <th scope="row">
                {name ? <Link href={`/classes/${name}`}>{name}</Link> : say("unknownProduct")}
              </th>
              <td>{figure(total.images, 9)}</td>
              <td>{name ? figure(total.passed, 9) : "–"}</td>
              <td>{name ? figure(total.review, 9) : "–"}</td>
              <td>{name ? figure(total.rejected - total.bad_frames, 9) : "–"}</td>
              <td>{name ? <Share value={rejectShare(total)} parts={judgedParts(total)} /> : "–"}</td>
              <td>{figure(total.bad_frames, 9)}</td>
              <td>{`${figure(total.p50_ms, 3)} ms`}</td>
              <td>{`${figure(total.p95_ms, 3)} ms`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Share({ value, parts }: { value: number | null; parts: number }) {
  if (value === null) return <>–</>;
  return (
    <span class="share" title={say("ofParts", { count: parts })}>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="ground" width="100" height="10" />
        <rect width={100 * value} height="10" />
      </svg>
      {value > 0 && value < 0.001 ? `< ${percent(0.001)}` : told(value)}
    </span>
  );
}
