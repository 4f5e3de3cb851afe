import type { Detection } from "../api/service";
import { percent, say } from "../words";

interface Given {
  detection: Detection;
  /** Judges the picture again, as a picture of this class. */
  onForce: (className: string) => void;
}

/** The classes that got votes, the most first, as bars; a picture can be judged again as any of them. */
export function RunnersUp({ detection, onForce }: Given) {
  const votes = Object.entries(detection.all_class_scores).sort(([, one], [, other]) => other - one);
  if (votes.length === 0) return null;
  return (
    <section class="votes">
      <h3>{say("runnersUp")}</h3>
      <ul>
        {votes.map(([name, share]) => (
          <li key={name}>
            <span class="name">{name}</span>
            <span class="bar" aria-hidden="true">
              <span style={{ width: `${100 * share}%` }} />
            </span>
            <span class="number">{percent(share)}</span>
            {name === detection.class_name ? (
              <span />
            ) : (
              <button
                type="button"
                class="button plain"
                aria-label={say("judgeAs", { name })}
                onClick={() => onForce(name)}
              >
                {say("judgeAsThis")}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
