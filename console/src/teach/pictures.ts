/** A picture that is to be sent. Its name is its own among them, so that what is told of a name is told of one. */
export interface Picture {
  readonly name: string;
  readonly file: File;
}

/** `files` behind `held`, each with a name that none before it has. */
export function joined(held: readonly Picture[], files: readonly File[]): Picture[] {
  const taken = new Set(held.map(({ name }) => name));
  const added = files.map((file) => {
    const name = free(file.name, taken);
    taken.add(name);
    return { name, file };
  });
  return [...held, ...added];
}

function free(name: string, taken: ReadonlySet<string>): string {
  const [, stem, suffix] = /^(.*?)(\.[^./]*)?$/s.exec(name) ?? ["", name, ""];
  let other = name;
  for (let number = 2; taken.has(other); number++) other = `${stem} (${number})${suffix ?? ""}`;
  return other;
}

export function megabytes(pictures: readonly Picture[]): number {
  return pictures.reduce((sum, { file }) => sum + file.size, 0) / 1e6;
}

/** What was sent for jobs, by name, as long as the page is open: the service keeps only what it took, and what it set aside. */
class SentPictures {
  private readonly byJob = new Map<string, ReadonlyMap<string, File>>();

  put(job: string, pictures: readonly Picture[]): void {
    this.byJob.set(job, new Map(pictures.map(({ name, file }) => [name, file])));
  }

  of(job: string, name: string): File | undefined {
    return this.byJob.get(job)?.get(name);
  }
}

export const sentPictures = new SentPictures();
