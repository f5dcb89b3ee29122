/* watch.h - waits until something below some folders changes: by inotify on directories, or by
 * asking again every while on file systems that tell nothing (network, FUSE) and when watches would
 * take more than a quarter of what the system allows a user.
 */
#ifndef AKIN_RAG_WATCH_H
#define AKIN_RAG_WATCH_H

#include "rag/walk.h"

typedef struct akin_watcher akin_watcher; /* one thread at a time */

/* Folders to watch: every one below paths[0..count) that akin_walk_paths would go into. To be made
 * before the first pass, so that nothing falls between. What options point to is borrowed until
 * free. */
akin_status akin_watcher_new(akin_watcher **out, const char *const *paths, size_t count,
                             const akin_walk_options *options, akin_error *err);
void akin_watcher_free(akin_watcher *watcher);

/* How, for people: "watching 120 folders" or "looking every 30 s: FOLDER is on nfs". Borrowed until
 * the next wait. */
const char *akin_watcher_mode(const akin_watcher *watcher);

/* Returns when something changed and has been quiet for a second (or 10 s have passed since the
 * first change), when it is time to look again, or with AKIN_E_STOPPED when stop() said so (asked
 * every 200 ms). New folders are watched from here on. `busy` is how long the last pass took:
 * polling waits at least ten times that. */
akin_status akin_watcher_wait(akin_watcher *watcher, double busy, akin_error *err);

typedef struct akin_watch_terms {
    double quiet, longest; /* 1 and 10: see akin_watcher_wait */
    double every;          /* 30: between two looks */
    size_t watches;        /* that a user may have; 0: /proc says it */
} akin_watch_terms;

/* With other terms than those. For tests. */
akin_status akin_watcher_new_with(akin_watcher **out, const char *const *paths, size_t count,
                                  const akin_walk_options *options, const akin_watch_terms *terms,
                                  akin_error *err);

#endif
