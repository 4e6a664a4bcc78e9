/** A reader that has seen enough (`… | head`) ends the command quietly; what it writes into files is written. */
export function outliveReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
