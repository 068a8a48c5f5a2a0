/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of files with several names.
 */
#include "files.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct inode {
    dev_t dev;
    ino_t ino;
    char *carrier; /* tar name */
    char *other;   /* full path of another name; NULL: none met yet */
    const struct root *other_root;
    bool lost; /* nobody carries the data: the next name becomes the carrier */
    struct inode *next;
};

struct inodes {
    pthread_mutex_t lock; /* protects everything here but dev and ino */
    struct inode **slots;
    size_t slot_count, count;
};

struct inodes *inodes_new(void)
{
    struct inodes *inodes = calloc(1, sizeof(*inodes));
    if (!inodes)
        return NULL;
    inodes->slot_count = 256;
    inodes->slots = calloc(inodes->slot_count, sizeof(struct inode *));
    if (!inodes->slots) {
        free(inodes);
        return NULL;
    }
    pthread_mutex_init(&inodes->lock, NULL);
    return inodes;
}

void inodes_free(struct inodes *inodes)
{
    if (!inodes)
        return;
    for (size_t i = 0; i < inodes->slot_count; i++)
        for (struct inode *inode = inodes->slots[i], *next; inode; inode = next) {
            next = inode->next;
            free(inode->carrier);
            free(inode->other);
            free(inode);
        }
    free(inodes->slots);
    pthread_mutex_destroy(&inodes->lock);
    free(inodes);
}

static size_t slot_of(dev_t dev, ino_t ino, size_t slot_count)
{
    uint64_t mixed = ((uint64_t)ino ^ ((uint64_t)dev << 40)) * 0x9e3779b97f4a7c15ull;
    return (size_t)(mixed >> 20) & (slot_count - 1);
}

/* A table that could not grow is only slower. */
static void grow(struct inodes *inodes)
{
    size_t slot_count = inodes->slot_count * 4;
    struct inode **slots = calloc(slot_count, sizeof(*slots));
    if (!slots)
        return;
    for (size_t i = 0; i < inodes->slot_count; i++)
        for (struct inode *inode = inodes->slots[i], *next; inode; inode = next) {
            size_t slot = slot_of(inode->dev, inode->ino, slot_count);
            next = inode->next;
            inode->next = slots[slot];
            slots[slot] = inode;
        }
    free(inodes->slots);
    inodes->slots = slots;
    inodes->slot_count = slot_count;
}

static struct inode *add(struct inodes *inodes, const struct walked *walked)
{
    struct inode *inode = calloc(1, sizeof(*inode));
    if (!inode || !(inode->carrier = strdup(walked->path + 1))) {
        free(inode);
        return NULL;
    }
    inode->dev = walked->st.st_dev;
    inode->ino = walked->st.st_ino;
    if (inodes->count >= inodes->slot_count)
        grow(inodes);
    struct inode **slot = &inodes->slots[slot_of(inode->dev, inode->ino, inodes->slot_count)];
    inode->next = *slot;
    *slot = inode;
    inodes->count++;
    return inode;
}

struct inode *inodes_meet(struct inodes *inodes, const struct walked *walked, bool *ret_carrier)
{
    pthread_mutex_lock(&inodes->lock);
    struct inode *inode = inodes->slots[slot_of(walked->st.st_dev, walked->st.st_ino, inodes->slot_count)];
    while (inode && !inode_is(inode, &walked->st))
        inode = inode->next;
    *ret_carrier = !inode || inode->lost;
    if (!inode) {
        inode = add(inodes, walked);
    } else {
        /* A lost carrier was never written, nor any link to it. */
        char **name = inode->lost ? &inode->carrier : &inode->other;
        char *copy = strdup(inode->lost ? walked->path + 1 : walked->path);
        if (copy) {
            free(*name);
            *name = copy;
            inode->other_root = inode->lost ? inode->other_root : walked->root;
            inode->lost = false;
        } else {
            inode = NULL;
        }
    }
    pthread_mutex_unlock(&inodes->lock);
    return inode;
}

const char *inode_carrier(const struct inode *inode)
{
    return inode->carrier;
}

bool inode_other(struct inodes *inodes, struct inode *inode, char **ret_path, const struct root **ret_root)
{
    pthread_mutex_lock(&inodes->lock);
    *ret_path = inode->other ? strdup(inode->other) : NULL;
    *ret_root = inode->other_root;
    inode->lost = !inode->other;
    pthread_mutex_unlock(&inodes->lock);
    return *ret_path != NULL;
}

bool inode_is(const struct inode *inode, const struct stat *st)
{
    return inode->dev == st->st_dev && inode->ino == st->st_ino;
}
