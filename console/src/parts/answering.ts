/** Asks a Web Worker that `answer` serves: one answer a question, in whatever order they come. */
export class Asker<Question, Answer> {
  private readonly waiting = new Map<
    number,
    { give: (answer: Answer) => void; fail: (error: Error) => void }
  >();
  private next = 1;

  constructor(private readonly worker: Worker) {
    worker.addEventListener("message", ({ data }: MessageEvent<Told<Answer>>) => {
      const asked = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.error !== undefined) asked?.fail(new Error(data.error));
      else asked?.give(data.answer as Answer);
    });
    worker.addEventListener("error", ({ message }) => {
      for (const { fail } of this.waiting.values()) fail(new Error(message));
      this.waiting.clear();
    });
  }

  ask(question: Question): Promise<Answer> {
    const id = this.next++;
    this.worker.postMessage({ id, question });
    return new Promise((give, fail) => this.waiting.set(id, { give, fail }));
  }
}

interface Told<Answer> {
  id: number;
  answer?: Answer;
  error?: string;
}

type Handed<Answer> = readonly [answer: Answer, handedOver: Transferable[]];

/** Serves an `Asker`, in its worker. What is handed over is no longer the worker's. */
export function answer<Question, Answer>(of: (question: Question) => Promise<Handed<Answer>>): void {
  const scope = self as unknown as Worker; // the page's types know no worker's scope, which posts the same way
  scope.addEventListener("message", ({ data }: MessageEvent<{ id: number; question: Question }>) => {
    of(data.question).then(
      ([given, handedOver]) => scope.postMessage({ id: data.id, answer: given }, handedOver),
      (error: Error) => scope.postMessage({ id: data.id, error: error.message }),
    );
  });
}
