/* Makes the syncs of a process take as many seconds as the file $SLOW_DISK says (LD_PRELOAD), none while there
 * is no such file. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(void) {
    unsigned seconds = 0;
    FILE *file = fopen(getenv("SLOW_DISK"), "r");
    if (file != NULL) {
        if (fscanf(file, "%u", &seconds) != 1)
            seconds = 0;
        fclose(file);
    }
    while (seconds > 0)
        seconds = sleep(seconds);
    return 0;
}

int fsync(int fd) { return (void)fd, slowly(); }

int fdatasync(int fd) { return (void)fd, slowly(); }
