/** Many readers or one writer, in the order of asking: samplers share weights that an update must not change under them. */
export class SharedLock {
  private readers = 0;
  private writing = false;
  private readonly waiting: { readonly write: boolean; readonly start: () => void }[] = [];

  async read<T>(body: () => Promise<T>): Promise<T> {
    await this.enter(false);
    try {
      return await body();
    } finally {
      this.readers--;
      this.advance();
    }
  }

  async write<T>(body: () => Promise<T>): Promise<T> {
    await this.enter(true);
    try {
      return await body();
    } finally {
      this.writing = false;
      this.advance();
    }
  }

  private enter(write: boolean): Promise<void> {
    return new Promise((start) => {
      this.waiting.push({ write, start });
      this.advance();
    });
  }

  private advance(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      if (this.writing || (next.write && this.readers > 0)) return;
      this.waiting.shift();
      if (next.write) this.writing = true;
      else this.readers++;
      next.start();
    }
  }
}
