import { useEffect, useRef } from "preact/hooks";
import { Badge } from "../parts/Badge";
import { outcomeOf } from "../parts/outcome";
import { figure, say } from "../words";
import { Mini } from "./Mini";
import type { Recorded } from "./recorded";

interface Given {
  items: readonly Recorded[];
  at: number;
  onChoose: (at: number) => void;
}

/** The detections of the queue as thumbnails; the one that is looked at is marked. */
export function Strip({ items, at, onChoose }: Given) {
  const chosen = useRef<HTMLButtonElement>(null);
  useEffect(() => chosen.current?.scrollIntoView({ block: "nearest", inline: "nearest" }), [at]);
  return (
    <nav class="queue" aria-label={say("queue")}>
      <ul>
        {items.map((item, index) => (
          <li key={item.id}>
            <button
              type="button"
              ref={index === at ? chosen : null}
              aria-pressed={index === at}
              onClick={() => onChoose(index)}
            >
              <Mini detection={item} />
              <span class="what">
                <Badge outcome={outcomeOf(item)} />
                <span class="soft">
                  {item.class_name} {item.score !== null && figure(item.score, 3)}
                </span>
                {item.word && <span class="said">{say(`word_${item.word}`)}</span>}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
