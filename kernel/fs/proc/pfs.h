/* SPDX-License-Identifier: MIT */
/*
 * Inside of procfs and sysfs.
 *
 *   tree.c   names registered at boot: /proc/... and /sys/... as one tree of nodes
 *   text.c   a file whose text a function writes, when reading begins
 *   pid*.c   the directories of processes, made as they are looked up
 */
#ifndef KERNEL_FS_PROC_PFS_H
#define KERNEL_FS_PROC_PFS_H
#include "../internal.h"
#include "../../proc/proc.h"
#include <lib/fmt.h>

/* ---- tree.c ---- */
struct pnode {
    const char *name;
    u32 len, mode;
    u64 ino;
    struct pnode *parent, *child, *sibling; /* children in order of registration */
    struct proc_file file;
    const struct file_ops *fops;                 /* instead of file */
    const char *target;                          /* symlinks */
    ssize_t (*readlink)(char *buf, size_t size); /* or computed */
    void (*cut)(void); /* the file is truncated: O_TRUNC; may be NULL */
    u32 nr_dirs;
};
extern struct pnode proc_root_node, sys_root_node, trace_root_node;
/* The node at path ("/proc/...", "/sys/kernel/tracing/...", "/sys/..."), made with its parents; NULL: no memory, or not below one of them. */
struct pnode *pnode_make(const char *path, u32 mode);
struct inode *pnode_inode(struct superblock *sb, struct pnode *n);
/* Times may be set, sizes not (they are taken for done, as shells' ">" want), the rest not. */
int proc_setattr(struct inode *i, u32 valid, const struct kstat *st);
int pnode_readdir(struct pnode *n, struct file *f, emit_fn *emit, void *ctx, u64 first);
struct pnode *pnode_child(struct pnode *n, const char *name, size_t len);
#define PNODE_MAX_CHILDREN 0x10000UL

/* ---- text.c ---- */
/* Opens f as a text file: show(s, arg) writes it. done(arg) at release may be NULL. 0 or -ENOMEM. */
typedef void show_fn(struct seq *s, void *arg);
int text_open(struct file *f, show_fn *show, int (*store)(const char *, size_t, void *), void *arg,
              void (*done)(void *arg));

/* From the start or from here; texts have no end. */
s64 text_lseek(struct file *f, s64 off, int whence);
/* Gives an open text file an ioctl. */
void text_set_ioctl(struct file *f, s64 (*ioctl)(void *arg, u32 cmd, u64 uarg));

/* ---- pid.c, pid_dir.c ---- */
extern const struct inode_ops pid_dir_iops, pid_task_iops;
extern const struct file_ops pid_dir_fops, pid_task_fops;
struct pid_inode;
bool pid_gone(const struct pid_inode *pi);
void pid_evict(struct inode *i);
int pid_getattr(struct inode *i, struct kstat *st);
bool pid_revalidate(struct inode *dir, const char *name, size_t len, struct inode *inode);
extern const struct inode_ops proc_root_iops;
extern const struct file_ops proc_root_fops;
#define PID_INO(tid, in_task, entry, sub)                                                          \
    ((u64)(u32)(tid) << 33 | (u64)(in_task) << 32 | (u64)(entry) << 24 | ((u64)(sub)&0xffffff))

/* What the inode of a file below /proc/PID stands for. */
struct pid_entry;
struct pid_inode {
    struct process *p; /* referenced */
    struct task *t;    /* referenced; the leader, but below task/TID */
    const struct pid_entry *e;
    s32 fd;         /* below fd/, fdinfo/ */
    u64 start, end; /* below map_files/ */
    struct mm *mm;  /* what an open text shows, grabbed, when pinned (pid_get_mm) */
    bool pinned;
    bool in_task;
};
struct pid_entry {
    const char *name;
    u32 mode;
    void (*show)(struct seq *s, struct pid_inode *pi);
    int (*store)(struct pid_inode *pi, const char *text, size_t n);
    s64 (*ioctl)(struct pid_inode *pi, u32 cmd, u64 arg); /* beside show; may be NULL */
    const struct file_ops *fops;  /* instead of show */
    int (*open)(struct file *f, struct pid_inode *pi); /* instead of show: sets f->ops */
    const struct inode_ops *iops; /* directories and links */
    u8 where;                     /* IN_PID, IN_TASK */
    bool stays;                   /* an open file shows it when the process is gone, too; else reading is ESRCH */
    bool ptrace, attach;          /* opening needs the right to look into the process; to change it */
};
#define IN_PID  1
#define IN_TASK 2
struct inode *pid_make_inode(struct superblock *sb, const struct pid_inode *like, u32 mode, u64 ino,
                             const struct inode_ops *ops, const struct file_ops *fops);
bool pid_may_trace(const struct pid_inode *pi);
/* The address space that pi shows, referenced, or NULL: of an open file that of the moment when it was opened, as the right to look
 * was judged then; else today's. */
struct mm *pid_get_mm(const struct pid_inode *pi);
/* file->priv becomes the address space, grabbed, or NULL; and its end. */
void pid_pin_mm(struct file *f, struct pid_inode *pi);
void pid_unpin_mm(struct file *f);
/* The fs_struct of another thread, referenced, or NULL. */
struct fs_struct *fs_struct_of(struct task *t);
/* pid_fd.c */
extern const struct inode_ops pid_fd_iops, pid_fdinfo_iops, pid_exe_iops, pid_cwd_iops,
    pid_root_iops;
extern const struct file_ops pid_fd_fops, pid_fdinfo_fops;
/* pid_map_files.c */
extern const struct inode_ops pid_map_files_iops;
extern const struct file_ops pid_map_files_fops;
/* pid_mem.c */
int pid_open_mem(struct file *f, struct pid_inode *pi);
void pid_show_cmdline(struct seq *s, struct pid_inode *pi);
void pid_show_environ(struct seq *s, struct pid_inode *pi);
void pid_show_auxv(struct seq *s, struct pid_inode *pi);
extern const struct obs_files pid_obs_files;
void pid_show_maps(struct seq *s, struct pid_inode *pi);
/* pid_query.c: PROCMAP_QUERY */
s64 pid_maps_ioctl(struct pid_inode *pi, u32 cmd, u64 arg);
void pid_show_numa_maps(struct seq *s, struct pid_inode *pi);
void pid_show_smaps(struct seq *s, struct pid_inode *pi);
void pid_show_smaps_rollup(struct seq *s, struct pid_inode *pi);
void pid_show_statm(struct seq *s, struct pid_inode *pi);
/* pid_pagemap.c */
int pid_open_pagemap(struct file *f, struct pid_inode *pi);
int pid_store_clear_refs(struct pid_inode *pi, const char *text, size_t n);
/* pid_timers.c: the slack of timers. */
void pid_show_timerslack(struct seq *s, struct pid_inode *pi);
int pid_store_timerslack(struct pid_inode *pi, const char *text, size_t n);
/* kpage.c: seeking in files of words; the end is nowhere. */
s64 proc_mem_lseek(struct file *f, s64 off, int whence);
void proc_kpage_register(void);
void proc_pressure_register(void);
void proc_sysrq_register(void);
/* pid_status.c */
void pid_show_status(struct seq *s, struct pid_inode *pi);
void pid_show_stat(struct seq *s, struct pid_inode *pi);
void pid_show_io(struct seq *s, struct pid_inode *pi);
void pid_show_limits(struct seq *s, struct pid_inode *pi);
void pid_show_schedstat(struct seq *s, struct pid_inode *pi);
/* '\n', '\\' as octal or short escapes, as Linux shows comm */
void put_comm(struct seq *s, const char *comm, bool escape);

void proc_system_register(void); /* system.c, cpuinfo.c, sysctl.c */
void proc_sysctl_register(void);
void proc_sysctl_vm_register(void);
void sysfs_register(void);
void tracefs_register(void); /* kernel/fs/trace/ */
#endif
