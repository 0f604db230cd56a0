/* A mock upstream that is no bottleneck: one epoll loop, HTTP/1.1 keep-alive, JSON answers or SSE streams.
 *
 * usage: upstream PORT
 *
 * A request whose body holds "stream":true is answered by a stream. The model name steers it: `bench-d10-n100` sends 100
 * chunks, one each 10 ms; `bench-e500` fails with that status. Every chunk carries the time of its emission (T and 19 digits of CLOCK_MONOTONIC nanoseconds),
 * so that a load generator on the same machine can tell how long a chunk was on its way.
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

enum { MAX_FD = 65536, HEAD_AND_PEEK = 16384, OUT_FIRST = 4096 };

typedef struct {
    int fd;
    char in[HEAD_AND_PEEK]; /* the head, and as much of the body as is needed to read model and stream */
    int in_len;
    long body_left; /* of the current request, -1 = its head is not complete yet */
    int is_stream, status;
    long delay_ns, chunks;
    int streaming;
    long next_ns;
    int place; /* in `active`, -1 = not there */
    char *out;
    int out_len, out_pos, out_cap, wants_out;
} conn;

static conn *conns[MAX_FD], *active[MAX_FD];
static int n_active, epoll_fd;
static char json_answer[8192];
static int json_len;

static long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void watch(conn *c, int out) {
    if (c->wants_out == out) return;
    c->wants_out = out;
    struct epoll_event e = {EPOLLIN | (out ? EPOLLOUT : 0), {.fd = c->fd}};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void activate(conn *c) {
    if (c->place >= 0) return;
    c->place = n_active;
    active[n_active++] = c;
}

static void deactivate(conn *c) {
    if (c->place < 0) return;
    active[c->place] = active[--n_active];
    active[c->place]->place = c->place;
    c->place = -1;
}

static void drop(conn *c) {
    deactivate(c);
    close(c->fd);
    conns[c->fd] = NULL;
    free(c->out);
    free(c);
}

static void put(conn *c, const char *bytes, int n) {
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2 > OUT_FIRST ? (c->out_len + n) * 2 : OUT_FIRST;
        c->out = realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, bytes, n);
    c->out_len += n;
}

/* 0 = all is out or waits for the socket, -1 = the peer is gone */
static int flush_out(conn *c) {
    while (c->out_pos < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_pos, c->out_len - c->out_pos);
        if (n < 0) {
            if (errno != EAGAIN) return -1;
            watch(c, 1);
            return 0;
        }
        c->out_pos += n;
    }
    c->out_pos = c->out_len = 0;
    watch(c, 0);
    return 0;
}

static void put_chunk(conn *c) {
    static const char *head =
        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\","
        "\"choices\":[";
    char text[512], size[16];
    int n;
    if (c->chunks > 2)
        n = sprintf(text, "%s{\"index\":0,\"delta\":{\"content\":\"T%019ld\"},\"finish_reason\":null}]}\n\n", head, now_ns());
    else if (c->chunks == 2)
        n = sprintf(text, "%s{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", head);
    else
        n = sprintf(text,
                    "%s],\"usage\":{\"prompt_tokens\":512,\"completion_tokens\":100,\"total_tokens\":612}}\n\n"
                    "data: [DONE]\n\n",
                    head);
    put(c, size, sprintf(size, "%x\r\n", n));
    put(c, text, n);
    put(c, "\r\n", 2);
    if (--c->chunks == 0) put(c, "0\r\n\r\n", 5);
}

/* reads model and stream from the part of the body that is in hand */
static void peek(conn *c, const char *body, int n) {
    char *model = memmem(body, n, "\"model\":\"bench", 14), *mark;
    c->delay_ns = 0;
    c->chunks = 100;
    c->status = 200;
    c->is_stream = memmem(body, n, "\"stream\":true", 13) || memmem(body, n, "\"stream\": true", 14);
    if (!model) return;
    char *end = memchr(model + 10, '"', n - (model + 10 - body));
    if (!end) return;
    if ((mark = memmem(model, end - model, "-d", 2))) c->delay_ns = atol(mark + 2) * 1000000L;
    if ((mark = memmem(model, end - model, "-e", 2))) c->status = atoi(mark + 2);
    if ((mark = memmem(model, end - model, "-n", 2))) c->chunks = atol(mark + 2);
}

static int answer(conn *c) {
    static const char *head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
        "x-request-id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char *failure =
        "HTTP/1.1 %d Failure\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
        "{\"error\":{\"message\":\"as asked\",\"type\":\"server_e\"}}";
    char text[256];
    c->body_left = -1;
    if (c->status != 200) {
        put(c, text, sprintf(text, failure, c->status));
        return flush_out(c);
    }
    if (!c->is_stream) {
        put(c, json_answer, json_len);
        return flush_out(c);
    }
    put(c, head, strlen(head));
    c->streaming = 1;
    put_chunk(c);
    c->next_ns = now_ns() + c->delay_ns;
    activate(c);
    return flush_out(c);
}

/* takes what is in `in`; -1 = close. A body is skipped as it comes: only its first bytes are looked at. */
static int take(conn *c) {
    while (!c->streaming) {
        if (c->body_left < 0) {
            char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4), *field;
            if (!end) return c->in_len < HEAD_AND_PEEK ? 0 : -1;
            *end = 0;
            c->body_left = (field = strcasestr(c->in, "\r\ncontent-length:")) ? atol(field + 17) : 0;
            *end = '\r';
            int head = end + 4 - c->in, have = c->in_len - head;
            if (have < c->body_left && c->in_len < HEAD_AND_PEEK) {
                c->body_left = -1; /* wait for the whole body, or for as much as is looked at */
                return 0;
            }
            peek(c, c->in + head, have < c->body_left ? have : (int)c->body_left);
            memmove(c->in, c->in + head, have);
            c->in_len = have;
        }
        int skipped = c->in_len < c->body_left ? c->in_len : (int)c->body_left;
        memmove(c->in, c->in + skipped, c->in_len - skipped);
        c->in_len -= skipped;
        c->body_left -= skipped;
        if (c->body_left) return 0;
        if (answer(c) < 0) return -1;
        if (!c->in_len) return 0;
    }
    return 0;
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn *c = calloc(1, sizeof *c);
        c->fd = fd;
        c->place = c->body_left = -1;
        conns[fd] = c;
        struct epoll_event e = {EPOLLIN, {.fd = fd}};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static int read_all(conn *c) {
    for (;;) {
        ssize_t n = read(c->fd, c->in + c->in_len, HEAD_AND_PEEK - c->in_len);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        if (n == 0) return -1;
        c->in_len += n;
        if (take(c) < 0) return -1;
        if (c->in_len == HEAD_AND_PEEK) return c->streaming ? 0 : -1;
    }
}

static void advance_streams(void) {
    long now = now_ns();
    for (int i = n_active - 1; i >= 0; i--) {
        conn *c = active[i];
        if (c->out_len || c->next_ns > now) continue;
        put_chunk(c);
        c->next_ns += c->delay_ns;
        if (c->next_ns < now) c->next_ns = now;
        if (c->chunks == 0) {
            c->streaming = 0;
            deactivate(c);
        }
        if (flush_out(c) < 0 || (!c->streaming && take(c) < 0)) drop(c);
    }
}

static int next_wait(void) {
    if (!n_active) return -1;
    for (int i = 0; i < n_active; i++)
        if (!active[i]->delay_ns && !active[i]->out_len) return 0;
    return 1;
}

static void write_json_answer(void) {
    char text[701], body[4096];
    memset(text, 'a', 700);
    for (int i = 6; i < 700; i += 7) text[i] = ' ';
    text[700] = 0;
    int n = sprintf(body,
                    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench\","
                    "\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                    "\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                    "\"usage\":{\"prompt_tokens\":512,\"completion_tokens\":160,\"total_tokens\":672}}",
                    text);
    json_len = sprintf(json_answer,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_bench\r\n"
                       "openai-processing-ms: 10\r\nContent-Length: %d\r\n\r\n%s",
                       n, body);
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: upstream PORT\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    write_json_answer();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (bind(listener, (void *)&a, sizeof a) || listen(listener, 8192)) return perror("upstream"), 1;
    epoll_fd = epoll_create1(0);
    struct epoll_event e = {EPOLLIN, {.fd = listener}}, events[1024];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 1024, next_wait());
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(listener);
                continue;
            }
            conn *c = conns[fd];
            if (!c) continue;
            if ((events[i].events & EPOLLOUT) && flush_out(c) < 0)
                drop(c);
            else if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && read_all(c) < 0)
                drop(c);
        }
        advance_streams();
    }
}
