/* mutate.c: a small fuzzer for machines without libFuzzer: a folder of inputs, a dictionary, a
 * seed. An input that reaches code no other has reached (gcc's -fsanitize-coverage=trace-pc tells)
 * is kept as one more to start from, so it finds its way in as the large ones do. The input in
 * work lies in a file of shared memory: it survives whatever the target does.
 *
 *     TARGET SEED SECONDS RUNS CURRENT DICTIONARY CORPUS...
 */
#include <stdio.h>
#include <time.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define MOST_INPUTS 20000
#define MOST_WORDS 300
/* Bytes of an input: more than the limit of a target, less than that of a head. */
#define MOST_SIZE 9000
#define MAP_SIZE (1 << 16)

typedef struct {
    uint8_t *bytes;
    size_t n;
} input;

static input inputs[MOST_INPUTS];
static size_t n_inputs;
static input words[MOST_WORDS];
static size_t n_words;
static uint8_t seen[MAP_SIZE]; /* places in the code that any input has reached */
static size_t news;            /* that this input was the first to reach */
static uint64_t state;

void __sanitizer_cov_trace_pc(void);

void
__sanitizer_cov_trace_pc(void)
{
    static uintptr_t previous;
    uintptr_t here = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__sanitizer_cov_trace_pc;
    uintptr_t edge = (here ^ (previous << 1)) % MAP_SIZE;
    previous = here;
    news += seen[edge] == 0;
    seen[edge] = 1;
}

/* xorshift64*, so that a seed gives the same inputs everywhere. */
static size_t
below(size_t n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return n == 0 ? 0 : (size_t)((state * 2685821657736338717ull) >> 33) % n;
}

static void
keep(const uint8_t *bytes, size_t n)
{
    if (n_inputs == MOST_INPUTS)
        return;
    inputs[n_inputs].bytes = (uint8_t *)exact(bytes, n);
    inputs[n_inputs++].n = n;
}

static void
load(const char *folder)
{
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    CHECK(n >= 0);
    for (int i = 0; i < n; i++) {
        static uint8_t bytes[MOST_SIZE];
        char path[4096];
        if (names[i]->d_name[0] != '.') {
            CHECK(snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name) < 4096);
            FILE *file = fopen(path, "rb");
            CHECK(file != NULL);
            keep(bytes, fread(bytes, 1, sizeof(bytes), file));
            fclose(file);
        }
        free(names[i]);
    }
    free(names);
}

/* Lines of "text", with \xNN, \\ and \", as libFuzzer and AFL++ have them. */
static void
load_words(const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL && n_words < MOST_WORDS) {
        const char *at = strchr(line, '"');
        uint8_t word[1024];
        size_t n = 0;
        if (line[0] == '#' || at == NULL)
            continue;
        for (at++; *at != '"' && *at != '\0'; at++) {
            unsigned byte = (uint8_t)*at;
            if (*at == '\\' && *++at == 'x') {
                CHECK(sscanf(at + 1, "%2x", &byte) == 1);
                at += 2;
            } else if (at[-1] == '\\')
                byte = (uint8_t)*at;
            word[n++] = (uint8_t)byte;
        }
        words[n_words].bytes = (uint8_t *)exact(word, n);
        words[n_words++].n = n;
    }
    fclose(file);
}

/* Puts `n` bytes over `cut` bytes at `at`. */
static size_t
replace(uint8_t *to, size_t size, size_t at, size_t cut, const uint8_t *bytes, size_t n)
{
    if (size - cut + n > MOST_SIZE)
        return size;
    memmove(to + at + n, to + at + cut, size - at - cut);
    memmove(to + at, bytes, n);
    return size - cut + n;
}

static size_t
mutate(uint8_t *to, size_t size)
{
    static const uint8_t odd[] = "\0\t\n\r \"#%&+,-./0:;<=?@A[\\]_a{|}~\x7f\x80\xff";
    uint8_t copy[MOST_SIZE], byte;
    size_t at = below(size + 1), n = below(size - at + 1);
    const input *other = &inputs[below(n_inputs)];
    if (below(2) != 0 && n > 8)
        n = below(8);
    switch (below(9)) {
    case 0:
        if (at < size)
            to[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 1:
        byte = odd[below(sizeof(odd))];
        return replace(to, size, at, 0, &byte, 1);
    case 2:
        byte = odd[below(sizeof(odd))];
        return replace(to, size, at, at < size, &byte, 1);
    case 3:
        return replace(to, size, at, n, NULL, 0);
    case 4:
        memcpy(copy, to + at, n);
        return replace(to, size, at, 0, copy, n);
    case 5:
    case 6:
        if (n_words > 0) {
            other = &words[below(n_words)];
            return replace(to, size, at, below(3) == 0 ? n : 0, other->bytes, other->n);
        }
        return size;
    case 7: /* the head of one, the tail of another */
        n = below(other->n + 1);
        return replace(to, size, at, size - at, other->bytes + n, other->n - n);
    default: /* far more of the same */
        memcpy(copy, to + at, n);
        for (size_t i = below(64); i > 0 && n > 0; i--)
            size = replace(to, size, at, 0, copy, n);
        return size;
    }
}

static double
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: %s SEED SECONDS RUNS CURRENT DICTIONARY CORPUS...\n", argv[0]);
        return 2;
    }
    state = strtoull(argv[1], NULL, 10) * 2 + 0x9e3779b97f4a7c15ull;
    double end = now() + strtod(argv[2], NULL);
    unsigned long most = strtoul(argv[3], NULL, 10), runs = 0;
    int current = open(argv[4], O_RDWR | O_CREAT, 0600);
    CHECK(current >= 0);
    load_words(argv[5]);
    for (int i = 6; i < argc; i++)
        load(argv[i]);
    CHECK(n_inputs > 0);

    CHECK(ftruncate(current, MOST_SIZE) == 0);
    uint8_t *bytes = mmap(NULL, MOST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, current, 0);
    CHECK(bytes != MAP_FAILED);
    size_t seeds = n_inputs;
    for (; runs < most && ((runs & 63) != 0 || now() < end); runs++) {
        const input *from = &inputs[runs < seeds ? runs : below(n_inputs)];
        size_t n = from->n;
        memcpy(bytes, from->bytes, n);
        for (size_t i = runs < seeds ? 0 : 1 + below(6); i > 0; i--)
            n = mutate(bytes, n);
        /* The file is as long as the input only while it is in work. */
        CHECK(ftruncate(current, (off_t)n) == 0);
        news = 0;
        LLVMFuzzerTestOneInput(bytes, n);
        CHECK(ftruncate(current, MOST_SIZE) == 0);
        if (news > 0 && runs >= seeds)
            keep(bytes, n);
    }
    close(current);
    size_t reached = 0;
    for (size_t i = 0; i < MAP_SIZE; i++)
        reached += seen[i];
    printf("%lu runs, %zu places, %zu inputs\n", runs, reached, n_inputs);
    return 0;
}
