/*
 * Stands for the runtime part of the executable (denort) where that cannot be downloaded: what
 * `deno compile` makes of it becomes Deno, with the sources and the rights of the executable.
 *
 * ARGUMENTS is the command line that it becomes, as C strings with a comma after each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *const arguments[] = {ARGUMENTS};
enum { COUNT = sizeof arguments / sizeof *arguments };

int main(int argc, char **argv) {
  char **all = calloc(COUNT + argc, sizeof *all);
  if (all == NULL) return 1;
  for (int i = 0; i < COUNT; i++) all[i] = arguments[i];
  for (int i = 1; i < argc; i++) all[COUNT + i - 1] = argv[i];
  execv(all[0], all);
  perror(all[0]);
  return 1;
}
