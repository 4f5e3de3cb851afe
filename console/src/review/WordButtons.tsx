import { key } from "../api/service";
import { say } from "../words";
import { fits, type Recorded, WORDS, type Word } from "./recorded";

const KEYS: Record<Word, string> = { correct: "C", false_alarm: "F", missed: "M", unsure: "U" };

interface Given {
  item: Recorded;
  onWord: (word: Word) => void;
  onLearn: (what: "accept" | "defect") => void;
  comment: string;
  onComment: (comment: string) => void;
  by: string;
  onBy: (by: string) => void;
}

/** What a person can say of a verdict, and have the class learn from it; each with its key. */
export function WordButtons({ item, onWord, onLearn, comment, onComment, by, onBy }: Given) {
  return (
    <div class="saying">
      <div class="words">
        {WORDS.map((word) => (
          <button
            key={word}
            type="button"
            class={`button word ${word}`}
            aria-pressed={item.word === word}
            aria-keyshortcuts={KEYS[word]}
            disabled={!fits(word, item)}
            title={fits(word, item) ? undefined : say("doesNotFit")}
            onClick={() => onWord(word)}
          >
            {say(`word_${word}`)} <kbd>{KEYS[word]}</kbd>
          </button>
        ))}
      </div>
      <div class="learning">
        <button type="button" class="button plain" aria-keyshortcuts="A" onClick={() => onLearn("accept")}>
          {say("acceptNormal")} <kbd>A</kbd>
        </button>
        <button type="button" class="button plain" aria-keyshortcuts="D" onClick={() => onLearn("defect")}>
          {say("rememberDefect")} <kbd>D</kbd>
        </button>
        <label class="field">
          {say("comment")}
          <input
            type="text"
            maxLength={2000}
            value={comment}
            onInput={({ currentTarget }) => onComment(currentTarget.value)}
          />
        </label>
        {key.get() === "" && ( // else it is the key's name
          <label class="field">
            {say("yourName")}
            <input
              type="text"
              maxLength={200}
              value={by}
              onInput={({ currentTarget }) => onBy(currentTarget.value)}
            />
          </label>
        )}
      </div>
      <p class="soft">{say("keysSay")}</p>
    </div>
  );
}
