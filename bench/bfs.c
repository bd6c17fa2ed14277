/* The limit probe: a plain breadth-first search over a compressed sparse row. Gives how many vertices are reached. */
#include <stdint.h>

int64_t reach(int64_t start, const int32_t *starts, const int32_t *far, uint8_t *seen, int32_t *queue) {
    int64_t head = 0, tail = 0;
    seen[start] = 1;
    queue[tail++] = (int32_t)start;
    while (head < tail) {
        int32_t node = queue[head++];
        for (int32_t i = starts[node]; i < starts[node + 1]; i++) {
            int32_t other = far[i];
            if (!seen[other]) {
                seen[other] = 1;
                queue[tail++] = other;
            }
        }
    }
    return tail - 1;
}
