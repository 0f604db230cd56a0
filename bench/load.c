/* A load generator: closed or open loop over keep-alive connections, latencies and chunk delays as one JSON line.
 *
 * usage: load PORT CONNECTIONS SECONDS WARM_SECONDS RATE REQUESTS [CALLS]
 *
 * RATE 0 = closed loop: each connection sends its next request when the answer is whole; else so many requests a second
 * arrive by the clock, and a request's latency counts from its arrival. REQUESTS is a file of raw HTTP requests, each
 * preceded by a line that holds its length, a space and how many bytes of its answer are read before the client leaves (-1 =
 * it stays, 0 = it leaves as soon as the request is sent); connections take them in turn. CALLS: end after so many, whatever
 * the time. Chunk delays come from the emission times that the mock upstream writes (T and 19 digits). Times are in microseconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, READ_MAX = 262144, QUEUE = 1 << 20 };
enum chunk_state { SIZE, EXTENSION, BODY, AFTER_BODY, TRAILER };

typedef struct {
    const char *bytes;
    long len, leave_after;
} request;

typedef struct {
    int fd, ready, busy, got_first, head_done, chunked, close_after, status;
    const request *sending;
    long sent, arrival_ns, left, heard;
    char head[HEAD_MAX];
    int head_len;
    enum chunk_state state;
    long chunk_left;
    int line_len;
} conn;

typedef struct {
    unsigned *tenths; /* of a microsecond */
    long n, cap;
} series;

static conn *conns;
static request *requests;
static int n_requests, n_conns, epoll_fd, port, next_request;
static series latency, first_byte, chunk_delay;
static long answered, failed, reconnects, bytes_in, measure_from;
static long all_answered, all_chunks; /* the warm-up included: what CPU is divided by */
static long all_ended, all_refused, all_cut, all_left;

static long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void note(series *s, long ns) {
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 65536;
        s->tenths = realloc(s->tenths, s->cap * sizeof *s->tenths);
    }
    s->tenths[s->n++] = ns < 0 ? 0 : ns / 100;
}

static int ascending(const void *a, const void *b) {
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

static void print_series(const char *name, series *s) {
    qsort(s->tenths, s->n, sizeof *s->tenths, ascending);
    printf("\"%s\":{\"n\":%ld", name, s->n);
    static const double points[] = {0.5, 0.9, 0.99, 0.999};
    static const char *names[] = {"p50", "p90", "p99", "p999"};
    for (int i = 0; i < 4; i++) {
        long place = s->n * points[i];
        printf(",\"%s\":%.1f", names[i], s->n ? s->tenths[place < s->n ? place : s->n - 1] / 10.0 : -1);
    }
    printf("},");
}

static void open_conn(conn *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    connect(c->fd, (void *)&a, sizeof a);
    c->ready = c->busy = 0;
    struct epoll_event e = {EPOLLIN | EPOLLOUT, {.ptr = c}};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
}

static void reopen(conn *c) {
    close(c->fd);
    reconnects++;
    open_conn(c);
}

/* 1 = all sent, 0 = waits for the socket, -1 = the peer is gone */
static int send_more(conn *c) {
    while (c->sent < c->sending->len) {
        ssize_t n = write(c->fd, c->sending->bytes + c->sent, c->sending->len - c->sent);
        if (n < 0) {
            if (errno != EAGAIN) return -1;
            struct epoll_event e = {EPOLLIN | EPOLLOUT, {.ptr = c}};
            epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
            return 0;
        }
        c->sent += n;
    }
    return 1;
}

/* the client loses patience */
static void leave(conn *c) {
    all_ended++;
    all_left++;
    c->busy = 0;
    reopen(c);
}

static void start(conn *c, long arrival_ns) {
    c->busy = 1;
    c->sending = &requests[next_request++ % n_requests];
    c->sent = c->heard = 0;
    c->arrival_ns = arrival_ns;
    c->got_first = c->head_done = c->head_len = c->chunked = c->close_after = 0;
    c->left = -1;
    c->state = SIZE;
    c->chunk_left = 0;
    int sent = send_more(c);
    if (sent < 0) {
        failed++;
        all_ended++;
        all_cut++;
        reopen(c);
    } else if (sent && !c->sending->leave_after)
        leave(c);
}

static void finish(conn *c, int whole) {
    all_answered += whole && c->status == 200;
    all_ended++;
    all_refused += whole && c->status != 200;
    all_cut += !whole;
    if (c->arrival_ns >= measure_from) {
        if (whole && c->status == 200) {
            answered++;
            note(&latency, now_ns() - c->arrival_ns);
        } else
            failed++;
    }
    c->busy = 0;
    if (whole && c->close_after) reopen(c);
}

static void note_chunks(const char *p, const char *end, long now) {
    while ((p = memmem(p, end - p, "\"T0", 3)) && end - p >= 21) {
        long at = strtol(p + 2, NULL, 10);
        all_chunks++;
        if (at >= measure_from) note(&chunk_delay, now - at);
        p += 21;
    }
}

static void read_head(conn *c) {
    char *field;
    c->status = atoi(c->head + 9);
    if ((field = strcasestr(c->head, "\r\ncontent-length:"))) c->left = atol(field + 17);
    c->chunked = (field = strcasestr(c->head, "\r\ntransfer-encoding:")) && strcasestr(field, "chunked");
    c->close_after = (field = strcasestr(c->head, "\r\nconnection:")) && !strncasecmp(field + 13, " close", 6);
}

static int hex_digit(char x) {
    if (x >= '0' && x <= '9') return x - '0';
    x |= 0x20;
    return x >= 'a' && x <= 'f' ? x - 'a' + 10 : -1;
}

/* 1 = the chunked body is whole */
static int eat_chunked(conn *c, const char *p, long n) {
    for (long i = 0; i < n;) {
        char x = p[i];
        if (c->state == BODY) {
            long m = n - i < c->chunk_left ? n - i : c->chunk_left;
            i += m;
            if (!(c->chunk_left -= m)) c->state = AFTER_BODY;
            continue;
        }
        i++;
        if (x == '\n') {
            if (c->state == TRAILER && !c->line_len) return 1;
            if (c->state == SIZE || c->state == EXTENSION) c->state = c->chunk_left ? BODY : TRAILER;
            else if (c->state == AFTER_BODY) c->state = SIZE;
            c->line_len = 0;
        } else if (c->state == SIZE) {
            if (x == ';') c->state = EXTENSION;
            else if (hex_digit(x) >= 0) c->chunk_left = c->chunk_left * 16 + hex_digit(x);
        } else if (x != '\r')
            c->line_len++;
    }
    return 0;
}

/* 1 = the answer is whole */
static int eat(conn *c, const char *p, long n) {
    long now = now_ns(), at = 0;
    if (!c->got_first) {
        c->got_first = 1;
        if (c->arrival_ns >= measure_from) note(&first_byte, now - c->arrival_ns);
    }
    note_chunks(p, p + n, now);
    if (!c->head_done) {
        long room = HEAD_MAX - 1 - c->head_len, m = n < room ? n : room, before = c->head_len;
        memcpy(c->head + c->head_len, p, m);
        c->head_len += m;
        c->head[c->head_len] = 0;
        char *end = memmem(c->head, c->head_len, "\r\n\r\n", 4);
        if (!end) return 0;
        end[2] = 0;
        c->head_done = 1;
        read_head(c);
        at = end + 4 - c->head - before;
    }
    if (c->chunked) return eat_chunked(c, p + at, n - at);
    if (c->left < 0) return 0;
    c->left -= n - at;
    return c->left <= 0;
}

static void load_requests(const char *path) {
    FILE *f = fopen(path, "r");
    long n, leave_after;
    if (!f) exit((perror(path), 1));
    while (fscanf(f, "%ld %ld", &n, &leave_after) == 2) {
        fgetc(f);
        char *bytes = malloc(n);
        if ((long)fread(bytes, 1, n, f) != n) exit((fprintf(stderr, "%s is cut short\n", path), 1));
        requests = realloc(requests, (n_requests + 1) * sizeof *requests);
        requests[n_requests++] = (request){bytes, n, leave_after};
    }
    fclose(f);
    if (!n_requests) exit((fprintf(stderr, "%s holds no request\n", path), 1));
}

static long queue[QUEUE], queue_head, queue_tail;

static void serve_next(conn *c, int open_loop) {
    if (c->busy || !c->ready) return;
    if (!open_loop) start(c, now_ns());
    else if (queue_head < queue_tail) start(c, queue[queue_head++ % QUEUE]);
}

static void on_event(conn *c, unsigned events, int open_loop) {
    static char buffer[READ_MAX];
    if (events & EPOLLOUT) {
        if (!c->ready) {
            int error = 0;
            socklen_t size = sizeof error;
            getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error) {
                failed++;
                usleep(1000);
                reopen(c);
                return;
            }
            c->ready = 1;
            serve_next(c, open_loop);
        } else if (c->busy && c->sent < c->sending->len) {
            int sent = send_more(c);
            if (sent < 0) {
                finish(c, 0);
                reopen(c);
                return;
            }
            if (sent && !c->sending->leave_after) {
                leave(c);
                return;
            }
        }
        if (!c->busy || c->sent >= c->sending->len) {
            struct epoll_event e = {EPOLLIN, {.ptr = c}};
            epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
        }
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    ssize_t n = read(c->fd, buffer, READ_MAX);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        if (c->busy) finish(c, 0);
        reopen(c);
        return;
    }
    bytes_in += n;
    c->heard += n;
    if (c->busy && c->sending->leave_after > 0 && c->heard >= c->sending->leave_after) {
        leave(c);
        return;
    }
    if (c->busy && eat(c, buffer, n)) {
        finish(c, 1);
        serve_next(c, open_loop);
    }
}

int main(int argc, char **argv) {
    if (argc != 7 && argc != 8) return fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS WARM_SECONDS RATE REQUESTS [CALLS]\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    port = atoi(argv[1]);
    n_conns = atoi(argv[2]);
    double rate = atof(argv[5]);
    long calls = argc == 8 ? atol(argv[7]) : 0;
    load_requests(argv[6]);
    epoll_fd = epoll_create1(0);
    conns = calloc(n_conns, sizeof *conns);
    long begin = now_ns(), gap = rate > 0 ? 1e9 / rate : 0, arrival = begin + 50000000L;
    measure_from = begin + (long)(atof(argv[4]) * 1e9);
    long end = measure_from + (long)(atof(argv[3]) * 1e9), now;
    int opened = 0;
    struct epoll_event events[1024];
    while ((now = now_ns()) < end && (!calls || all_ended < calls)) {
        for (int burst = 0; opened < n_conns && burst < 100; burst++) open_conn(&conns[opened++]);
        for (; gap && arrival <= now; arrival += gap) queue[queue_tail++ % QUEUE] = arrival;
        for (int i = 0; gap && i < opened && queue_head < queue_tail; i++) serve_next(&conns[i], 1);
        long wait = gap && arrival - now_ns() < 10000000L ? arrival - now_ns() : 10000000L;
        if (opened < n_conns && wait > 1000000L) wait = 1000000L;
        struct timespec limit = {0, wait > 0 ? wait : 0};
        int n = epoll_pwait2(epoll_fd, events, 1024, &limit, NULL);
        for (int i = 0; i < n; i++) on_event(events[i].data.ptr, events[i].events, gap != 0);
    }
    int in_flight = 0;
    for (int i = 0; i < n_conns; i++) in_flight += conns[i].busy;
    double seconds = (now_ns() - measure_from) / 1e9;
    printf("{");
    print_series("latency", &latency);
    print_series("first_byte", &first_byte);
    print_series("chunk_delay", &chunk_delay);
    printf("\"seconds\":%.3f,\"answered\":%ld,\"failed\":%ld,\"reconnects\":%ld,\"in_flight\":%d,\"bytes\":%ld,", seconds, answered, failed,
           reconnects, in_flight, bytes_in);
    printf("\"all_answered\":%ld,\"all_chunks\":%ld,\"all_ended\":%ld,\"all_refused\":%ld,\"all_cut\":%ld,\"all_left\":%ld}\n",
           all_answered, all_chunks, all_ended, all_refused, all_cut, all_left);
}
