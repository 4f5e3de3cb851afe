import type { Schema } from "../api/service";
import { Badge } from "../parts/Badge";
import { Stored } from "../parts/Stored";
import { figure, moment, say } from "../words";

type Decision = "pass" | "review" | "reject";

interface Paired {
  first: string;
  second: string;
  /** What the first says, what the second says, how often. */
  pairs: readonly (readonly [Decision, Decision, number])[];
}

/** How often two versions decide so and so; where they differ the row stands out. */
export function Decisions({ first, second, pairs }: Paired) {
  if (pairs.length === 0) return null;
  return (
    <table class="decisions">
      <thead>
        <tr>
          <th scope="col">{first}</th>
          <th scope="col">{second}</th>
          <th scope="col">{say("pictures")}</th>
        </tr>
      </thead>
      <tbody>
        {pairs.map(([one, other, count]) => (
          <tr key={`${one} ${other}`} class={one === other ? "" : "differs"}>
            <td>
              <Badge outcome={one} />
            </td>
            <td>
              <Badge outcome={other} />
            </td>
            <td>{count}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface Given {
  thumbnail: string;
  file: string;
  at: string;
  word: string | null;
  judgements: readonly (readonly [string, Schema["JudgementOut"]])[];
}

const WORDS = {
  correct: "saidCorrect",
  false_alarm: "saidFalseAlarm",
  missed: "saidMissed",
  unsure: "saidUnsure",
} as const;

/** A picture that two versions decide differently, with both. */
export function DiffersAt({ thumbnail, file, at, word, judgements }: Given) {
  return (
    <li>
      <Stored path={thumbnail} alt={file} name="thumb" />
      <div>
        <p class="name">{file}</p>
        <p class="soft">
          {moment(at)}
          {word && ` · ${say(WORDS[word as keyof typeof WORDS])}`}
        </p>
        {judgements.map(([title, judgement]) => (
          <p key={title}>
            <span class="soft">{title}</span> <Badge outcome={judgement.decision as Decision} />{" "}
            <span class="soft">
              {say("scoreOf", { score: figure(judgement.score), threshold: figure(judgement.threshold) })}
            </span>
          </p>
        ))}
      </div>
    </li>
  );
}
