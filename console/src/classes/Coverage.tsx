import { Mark } from "../parts/Mark";
import { figure, percent, say } from "../words";
import type { AuditResult } from "./documents";

/** Whether there are enough references: how scores of good parts fall with their number. */
export function Coverage({ coverage }: { coverage: AuditResult["coverage"] }) {
  const { references, median_score: scores, last_doubling: last, enough } = coverage;
  const most = Math.max(...scores, 1e-9);
  return (
    <>
      <h3>{say("coverageTitle")}</h3>
      <p>
        <Mark tone={enough ? "good" : "watch"}>{say(enough ? "coverageEnough" : "coverageMore")}</Mark>
      </p>
      <p class="soft">{say("coverageSays", { share: percent(Math.max(0, last), 2) })}</p>
      <table class="coverage">
        <thead>
          <tr>
            <th scope="col">{say("references")}</th>
            <th scope="col" colspan={2}>
              {say("medianScore")}
            </th>
          </tr>
        </thead>
        <tbody>
          {references.map((count, place) => (
            <tr key={count}>
              <th scope="row">{count}</th>
              <td>{figure(scores[place] ?? 0, 3)}</td>
              <td class="bars">
                <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                  <rect width={(100 * (scores[place] ?? 0)) / most} height="10" />
                </svg>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
