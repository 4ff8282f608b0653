// What a monitor looks at: its answer as text, and how many lines it has.

export interface Source {
  /** For people; it holds no secret. */
  readonly name: string;
  /** @throws LogboomError when it cannot be read */
  countLines(): Promise<number>;
  /** @throws LogboomError when it cannot be read, or not as a whole */
  readText(): Promise<string>;
}
