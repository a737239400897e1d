/* SPDX-License-Identifier: MIT */
/*
 * 9P2000.L client: the host's files over virtio-9p.
 *
 *   super.c  mount options, root         inode.c  names and attributes        file.c  open, read, write, readdir
 *   client.c one request and its answer (p9_rpc), version, fids              msg.h   the bytes of a message
 *
 * A fid is the server's handle for a file. Each inode holds one that is not open (to walk from); an inode that was read holds
 * one open for reading for its page cache, one that was written holds one for writing.
 *
 * Source: diod's protocol.md (9P2000.L).
 */
#ifndef KERNEL_FS_P9_H
#define KERNEL_FS_P9_H
#include <kernel/file.h>
#include <kernel/virtio.h>
#include <mm/writeback.h>

#define P9_NOFID (~0u)
#define P9_HDR   7 /* size[4] type[1] tag[2] */

enum p9_type {
    P9_RLERROR = 7,
    P9_TSTATFS = 8,
    P9_TLOPEN = 12,
    P9_TLCREATE = 14,
    P9_TSYMLINK = 16,
    P9_TMKNOD = 18,
    P9_TREADLINK = 22,
    P9_TGETATTR = 24,
    P9_TSETATTR = 26,
    P9_TREADDIR = 40,
    P9_TFSYNC = 50,
    P9_TLINK = 70,
    P9_TMKDIR = 72,
    P9_TRENAMEAT = 74,
    P9_TUNLINKAT = 76,
    P9_TVERSION = 100,
    P9_TATTACH = 104,
    P9_TWALK = 110,
    P9_TREAD = 116,
    P9_TWRITE = 118,
    P9_TCLUNK = 120,
};

struct p9_qid {
    u8 type; /* 0x80 directory, 0x02 symlink */
    u32 version;
    u64 path;
};

struct p9_channel; /* a virtio-9p device, kernel/dev/virtio_9p.c */
/* The device with this mount tag, for one session: ERR_PTR(-ENOENT), ERR_PTR(-EBUSY). */
struct p9_channel *p9_channel_claim(const char *tag);
void p9_channel_release(struct p9_channel *c);

/*
 * One exchange: out[0..n_out) goes to the server, the answer lands in in[0..n_in). Sleeps until it has come; a fatal signal does
 * not end it, as the buffers belong to the device. Returns the bytes written, or -EIO.
 */
s64 p9_channel_exchange(struct p9_channel *c, const struct virtio_buf *bufs, unsigned n_out, unsigned n_in);
#define P9_MAX_PAGES 64 /* data pages of one request */

struct p9_client {
    struct p9_channel *channel;
    u32 msize;
    u32 next_fid;      /* atomic */
    spinlock_t lock;
    u32 *free_fids;    /* stack of clunked ones, lock */
    u32 nr_free, cap_free;
    bool read_only, cache_mmap;
    struct backing_dev bdi; /* of all files: write-back by age and amount, and its brake */
};

/* A message being built or taken apart: one page each way; longer data travels in pages of its own. */
struct p9_msg {
    u8 *buf;   /* a page; the request is built here, the answer lands in its second half */
    u8 *reply; /* buf + 2048 */
    u32 len;   /* request bytes */
    u32 reply_len, at;
    bool bad;  /* the answer was too short for what was read from it */
};
#define P9_HALF 2048

/* msg.c: begin (-ENOMEM), fields, end. Strings longer than fits set bad. */
int p9_begin(struct p9_msg *m, enum p9_type type);
void p9_end(struct p9_msg *m);
void p9_put8(struct p9_msg *m, u8 v);
void p9_put16(struct p9_msg *m, u16 v);
void p9_put32(struct p9_msg *m, u32 v);
void p9_put64(struct p9_msg *m, u64 v);
void p9_put_str(struct p9_msg *m, const char *s, size_t len);
u8 p9_get8(struct p9_msg *m);
u16 p9_get16(struct p9_msg *m);
u32 p9_get32(struct p9_msg *m);
u64 p9_get64(struct p9_msg *m);
/* A string inside the reply: pointer and length, not terminated. */
const char *p9_get_str(struct p9_msg *m, size_t *len);
struct p9_qid p9_get_qid(struct p9_msg *m);

/*
 * client.c. Sends the request and checks the answer's type. data: pages that follow the request (write) or take what follows the
 * first `head` bytes of the answer (read, readdir); n bytes in all. 0 or -errno (the server's, or -EIO).
 */
struct p9_data {
    struct virtio_buf *piece;
    unsigned nr;
    bool to_server;
};
int p9_rpc(struct p9_client *c, struct p9_msg *m, const struct p9_data *data);
u32 p9_fid_alloc(struct p9_client *c);
/* The number may be used again; the server has forgotten it or never knew it. */
void p9_fid_free(struct p9_client *c, u32 fid);
/* Tells the server and frees the number. */
void p9_clunk(struct p9_client *c, u32 fid);
/* A new fid for the file `name` (NULL: the same file) below fid. 0 and *out, *qid (unless name is NULL), or -errno. */
int p9_walk(struct p9_client *c, u32 fid, const char *name, size_t len, u32 *out, struct p9_qid *qid);
int p9_open(struct p9_client *c, u32 fid, u32 flags); /* the fid becomes open */
int p9_version(struct p9_client *c);
int p9_attach(struct p9_client *c, u32 *fid, struct p9_qid *qid);

/* What an inode keeps (inode->priv). */
struct p9_inode {
    u32 fid;          /* not open; walks start here */
    u32 read_fid;     /* open for reading, or P9_NOFID; set once, under inode->lock */
    u32 write_fid;
};
static inline struct p9_client *p9_client_of(const struct inode *i)
{
    return i->sb->priv;
}
static inline struct p9_inode *p9_inode_of(const struct inode *i)
{
    return i->priv;
}
/* inode.c: the inode for a walked fid, which it takes over (found again by qid: clunked). ERR_PTR. */
struct inode *p9_inode_get(struct superblock *sb, u32 fid, struct p9_qid qid);
int p9_refresh(struct inode *inode); /* attributes from the server */
extern const struct inode_ops p9_dir_iops, p9_file_iops, p9_link_iops, p9_special_iops;
/* file.c */
extern const struct file_ops p9_file_fops, p9_dir_fops;
extern const struct mapping_ops p9_mapping_ops, p9_mapping_ro_ops;
int p9_file_open(struct inode *inode, struct file *f);
void p9_flush_inode(struct inode *inode); /* dirty pages to the server */
void p9_boot(void);                       /* registers "9p" */
#endif
