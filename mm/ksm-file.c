// SPDX-License-Identifier: GPL-2.0
/*
 * KSM for file-backed pages
 *
 * ksmd walks the file mappings of the areas advised with MADV_MERGEABLE and lets
 * page cache slots with equal, clean content share one protected page, see
 * mm/page-xa.c.  What is shared are the slots of the page cache, not the ptes: a
 * page need not be mapped at the moment, and a private copy of a process is left
 * to the anonymous part of KSM.
 *
 * A page is found by a keyed digest of its content and its merge domain: first
 * among the protected pages, whose content can't change any more, then among the
 * candidates, pages that were seen alone so far. A candidate is only remembered
 * by its place; no reference keeps the page or the inode, and all of it is
 * verified under the page lock before it is used. Whether two pages are equal is
 * decided by comparing them, when neither can change, and so are their domains:
 * the digest decides nothing.
 *
 * Everything that scans runs under ksm_thread_mutex.
 */

#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/freezer.h>
#include <linux/hashtable.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/ksm.h>
#include <linux/memcontrol.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/page-xa.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/posix_acl.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include <linux/sysfs.h>
#include <linux/xxhash.h>

#include "internal.h"
#include "ksm-file.h"

/* What belongs to a merge domain; the more, the narrower. */
#define KSM_FILE_USERNS		0x1	/* user namespace of the filesystem */
#define KSM_FILE_MEMCG		0x2	/* cgroup that the page is charged to */
#define KSM_FILE_OWNER		0x4	/* owner and read permissions of the file */
#define KSM_FILE_NARROWEST	0x7

/* In the mode of every domain: of shmem, which has no other copy of the page. */
#define KSM_FILE_SWAPBACKED	BIT_ULL(63)

/**
 * struct ksm_file_domain - only pages with equal domains are merged
 * @userns: address of the user namespace; a shared page pins it, as each alias
 *	has an inode, that its superblock, and that the namespace
 * @memcg: serial number of the cgroup, 0 for the root: other than the id of a
 *	cgroup it is not used again, while pages stay charged to one that is gone
 * @uid: owner of the file
 * @gid: group of the file
 * @mode: who may read it, and KSM_FILE_SWAPBACKED
 *
 * What does not belong to the domain is 0. There is no padding.
 */
struct ksm_file_domain {
	u64			userns;
	u64			memcg;
	u32			uid;
	u32			gid;
	u64			mode;
};

/**
 * struct ksm_file_node - a protected page that KSM owns
 * @pxa: page and aliases; first, since page->mapping points to it
 * @digest: of content and domain, which is what @hash finds it by
 * @hash: in the table of those that may take more aliases
 * @domain: of all aliases when they were merged, and of the page
 * @parts: what belongs to @domain, KSM_FILE_*
 * @nid: NUMA node that the page was on when @digest was made
 * @zero: the page has nothing but zeroes
 * @hashed: @hash is in use
 * @list: in the list of all of them
 * @rcu: lookups run under RCU
 */
struct ksm_file_node {
	struct pxa		pxa;
	u64			digest;
	struct rhlist_head	hash;
	struct ksm_file_domain	domain;
	int			nid;
	u8			parts;
	bool			zero;
	bool			hashed;
	struct list_head	list;
	struct rcu_head		rcu;
};

/**
 * struct ksm_file_cand - a page whose content was seen only here
 * @hash: in the table of candidates
 * @digest: of content and domain when it was seen
 * @pfn: the page
 * @mapping: of the file; not pinned, only compared
 * @index: offset in @mapping, in pages
 * @seqnr: the last pass that came across it
 * @list: in the list of candidates, oldest pass first
 */
struct ksm_file_cand {
	struct rhash_head	hash;
	u64			digest;
	unsigned long		pfn;
	struct address_space	*mapping;
	pgoff_t			index;
	unsigned long		seqnr;
	struct list_head	list;
};

/**
 * struct ksm_file_slot - a process with advised areas
 * @link: in the table to find it by @mm
 * @list: in the order of the scan
 * @mm: pinned by mmgrab()
 * @busy: the scan is at work on @mm
 */
struct ksm_file_slot {
	struct hlist_node	link;
	struct list_head	list;
	struct mm_struct	*mm;
	bool			busy;
};

static int ksm_file_enabled __read_mostly;

/* What may be merged; both change under ksm_thread_mutex. */
static u8 ksm_file_parts __read_mostly = KSM_FILE_NARROWEST;
static bool ksm_file_only_zero __read_mostly;

/* Bounds of what all this needs in memory, see ksm_file_init(). */
static unsigned long ksm_file_max_unswappable __read_mostly;
static unsigned long ksm_file_max_sharing __read_mostly;
static unsigned long ksm_file_max_unshared __read_mostly;

/* Processes, and where the scan is; both change under the lock. */
static DEFINE_SPINLOCK(ksm_file_slot_lock);
static DEFINE_HASHTABLE(ksm_file_slots, 10);
static LIST_HEAD(ksm_file_slot_list);
static struct ksm_file_slot *ksm_file_cursor;
static unsigned long ksm_file_address;
static bool ksm_file_in_pass;
static bool ksm_file_drained;
static DECLARE_WAIT_QUEUE_HEAD(ksm_file_idle);

static unsigned long ksm_file_seqnr;

/* All nodes, including those that are full. */
static DEFINE_SPINLOCK(ksm_file_node_lock);
static LIST_HEAD(ksm_file_nodes);
static unsigned long ksm_file_nr_unswappable;

static LIST_HEAD(ksm_file_cands);
static unsigned long ksm_file_nr_cands;

static struct kmem_cache *ksm_file_cand_cache __ro_after_init;
static struct kmem_cache *ksm_file_slot_cache __ro_after_init;

/* How many shared pages are tried, and entries looked at under a spinlock. */
#define KSM_FILE_TRIES	16

/* How often memory is waited for to take pages apart that must not be dropped. */
#define KSM_FILE_ROUNDS	100

/*
 * How to allocate for a group that may be at its limit: under cgroup v1 reclaim
 * that may enter filesystems waits for writeback, which may be in the hands of
 * those who want ksmd to stand still.  With a page locked it must not wait for a
 * loop device either, which may need the page.
 */
#define KSM_FILE_GFP	(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN)

/* How many areas that are not scanned are passed by for the cost of a page. */
#define KSM_FILE_AREAS	64

/*
 * The digest only says where to look.  It is keyed, so that nobody can tell it
 * in advance.  It is no cryptographic one: who has pages that fall together gains
 * one vain comparison for each, and that these are not merged.
 */
static u64 ksm_file_seed __ro_after_init;

static const struct rhashtable_params ksm_file_node_params = {
	.key_len = sizeof(u64),
	.key_offset = offsetof(struct ksm_file_node, digest),
	.head_offset = offsetof(struct ksm_file_node, hash),
	.automatic_shrinking = true,
};

static const struct rhashtable_params ksm_file_cand_params = {
	.key_len = sizeof(u64),
	.key_offset = offsetof(struct ksm_file_cand, digest),
	.head_offset = offsetof(struct ksm_file_cand, hash),
	.automatic_shrinking = true,
};

static struct rhltable ksm_file_node_table;
static struct rhashtable ksm_file_cand_table;

/* One page under examination: a referenced page and where it was found. */
struct ksm_file_item {
	struct page		*page;
	struct address_space	*mapping;
	pgoff_t			index;
};

/* -------------------------------------------------------------- domains -- */

#ifdef CONFIG_MEMCG

static u64 ksm_file_memcg(struct page *page)
{
	struct mem_cgroup *memcg;
	u64 nr = 0;

	rcu_read_lock();
	memcg = READ_ONCE(page->mem_cgroup);
	if (memcg && !mem_cgroup_is_root(memcg))
		nr = memcg->css.serial_nr;
	rcu_read_unlock();
	return nr;
}

/*
 * get_mem_cgroup_from_page() is for pages that stay in their group: one that is
 * not locked may move on, and leave a group behind that goes away.
 */
static struct mem_cgroup *ksm_file_get_memcg(struct page *page)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = READ_ONCE(page->mem_cgroup);
	if (memcg && !css_tryget(&memcg->css))
		memcg = NULL;
	rcu_read_unlock();
	return memcg;
}

#else

static struct mem_cgroup *ksm_file_get_memcg(struct page *page)
{
	return NULL;
}

static u64 ksm_file_memcg(struct page *page)
{
	return 0;
}

#endif /* CONFIG_MEMCG */

/*
 * The domain of a page with a reference, whose mapping can't go away.  Only
 * while the page is locked it remains in its cgroup.
 */
static void ksm_file_domain_get(struct ksm_file_domain *domain,
				struct page *page,
				struct address_space *mapping)
{
	struct inode *inode = mapping->host;

	BUILD_BUG_ON(sizeof(*domain) != 4 * sizeof(u64));
	memset(domain, 0, sizeof(*domain));
	if (ksm_file_parts & KSM_FILE_USERNS)
		domain->userns = (unsigned long)inode->i_sb->s_user_ns;
	if (ksm_file_parts & KSM_FILE_MEMCG)
		domain->memcg = ksm_file_memcg(page);
	if (ksm_file_parts & KSM_FILE_OWNER) {
		domain->uid = __kuid_val(inode->i_uid);
		domain->gid = __kgid_val(inode->i_gid);
		domain->mode = inode->i_mode & 0444;
	}
	if (PageSwapBacked(page))
		domain->mode |= KSM_FILE_SWAPBACKED;
}

static bool ksm_file_domain_is(const struct ksm_file_domain *domain,
			       struct page *page,
			       struct address_space *mapping)
{
	struct ksm_file_domain now;

	ksm_file_domain_get(&now, page, mapping);
	return !memcmp(&now, domain, sizeof(now));
}

/* Take out of a domain what belongs to it no more. */
static void ksm_file_domain_widen(struct ksm_file_domain *domain)
{
	if (!(ksm_file_parts & KSM_FILE_USERNS))
		domain->userns = 0;
	if (!(ksm_file_parts & KSM_FILE_MEMCG))
		domain->memcg = 0;
	if (!(ksm_file_parts & KSM_FILE_OWNER)) {
		domain->uid = 0;
		domain->gid = 0;
		domain->mode &= KSM_FILE_SWAPBACKED;
	}
}

/*
 * What is allocated from here on is charged to the cgroup of @page, so that
 * nobody makes others pay for many places that share a page.
 */
static struct mem_cgroup *ksm_file_charge(struct page *page)
{
	struct mem_cgroup *memcg = ksm_file_get_memcg(page);

	WARN_ON_ONCE(set_active_memcg(memcg));
	return memcg;
}

static void ksm_file_charge_end(struct mem_cgroup *memcg)
{
	set_active_memcg(NULL);
	mem_cgroup_put(memcg);
}

/* ---------------------------------------------------------------- nodes -- */

static void ksm_file_node_unhash(struct ksm_file_node *node)
{
	if (node->hashed) {
		rhltable_remove(&ksm_file_node_table, &node->hash,
				ksm_file_node_params);
		node->hashed = false;
	}
}

/* Are there as many nodes with this digest as a lookup tries? */
static bool ksm_file_digest_full(u64 digest)
{
	unsigned int nr = 0;
	struct rhlist_head *pos, *list;
	struct ksm_file_node *node;

	rcu_read_lock();
	list = rhltable_lookup(&ksm_file_node_table, &digest,
			       ksm_file_node_params);
	rhl_for_each_entry_rcu(node, pos, list, hash)
		if (++nr == KSM_FILE_TRIES)
			break;
	rcu_read_unlock();
	return nr == KSM_FILE_TRIES;
}

/*
 * Let lookups find @node; it is only a lost opportunity if that fails.  To take one
 * off the table is to walk all with its digest, so there must not be many.
 */
static void ksm_file_node_hash(struct ksm_file_node *node)
{
	if (!node->hashed && !ksm_file_digest_full(node->digest))
		node->hashed = !rhltable_insert(&ksm_file_node_table,
						&node->hash,
						ksm_file_node_params);
}

static bool ksm_file_node_unswappable(const struct ksm_file_node *node)
{
	return node->domain.mode & KSM_FILE_SWAPBACKED;
}

/* Fails if there are too many that have to stay in memory. */
static bool ksm_file_node_add(struct ksm_file_node *node)
{
	bool unswappable = ksm_file_node_unswappable(node);
	bool ok;

	spin_lock(&ksm_file_node_lock);
	ok = !unswappable ||
	     ksm_file_nr_unswappable < READ_ONCE(ksm_file_max_unswappable);
	if (ok) {
		list_add_tail(&node->list, &ksm_file_nodes);
		ksm_file_nr_unswappable += unswappable;
	}
	spin_unlock(&ksm_file_node_lock);
	return ok;
}

static void ksm_file_node_del(struct ksm_file_node *node)
{
	spin_lock(&ksm_file_node_lock);
	list_del(&node->list);
	ksm_file_nr_unswappable -= ksm_file_node_unswappable(node);
	spin_unlock(&ksm_file_node_lock);
}

static void ksm_file_release(struct pxa *pxa)
{
	struct ksm_file_node *node = container_of(pxa, struct ksm_file_node,
						  pxa);

	ksm_file_node_unhash(node);
	ksm_file_node_del(node);
	kfree_rcu(node, rcu);
}

static const struct pxa_ops ksm_file_pxa_ops = {
	.break_alias	= pxa_copy_break,
	.release	= ksm_file_release,
	.immutable	= true,
};

static bool page_is_ksm_file(struct page *page)
{
	return PageXA(page) && page_pxa(page)->ops == &ksm_file_pxa_ops;
}

/*
 * Get a page, locked and with a reference, if it has this mapping.  It may have
 * become anything else meanwhile, and whoever has just allocated it sets its
 * flags, PG_locked among them, as if nobody else could do so: it is not locked
 * unless it is known, with the reference, to be in the page cache.
 */
static struct page *ksm_file_page_get(unsigned long pfn, void *mapping)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || !get_page_unless_zero(page))
		return NULL;
	/* What slab has in place of the mapping may look like one. */
	if (!PageSlab(page) && !PageCompound(page) &&
	    READ_ONCE(page->mapping) == mapping && trylock_page(page)) {
		if (page->mapping == mapping)
			return page;
		unlock_page(page);
	}
	put_page(page);
	return NULL;
}

/*
 * Get the page of a node that RCU or ksm_file_node_lock keeps in memory.
 * Returns it locked and with a reference, or NULL if it is busy or gone.
 */
static struct page *ksm_file_node_get(struct ksm_file_node *node)
{
	return ksm_file_page_get(READ_ONCE(node->pxa.pfn),
				 (void *)((unsigned long)&node->pxa |
					  PAGE_MAPPING_XA));
}

/* May the pages that share this one go on sharing it? */
static bool ksm_file_node_allowed(const struct ksm_file_node *node)
{
	return !(ksm_file_parts & ~node->parts) &&
	       (!ksm_file_only_zero || node->zero);
}

/* Find a protected page with this digest that can take another alias. */
static struct page *ksm_file_find_node(u64 digest, struct page *like,
				       const struct ksm_file_domain *domain,
				       const struct ksm_file_params *params)
{
	unsigned int tries = KSM_FILE_TRIES;
	struct rhlist_head *pos, *list;
	struct ksm_file_node *node;
	struct page *page = NULL;

	rcu_read_lock();
	list = rhltable_lookup(&ksm_file_node_table, &digest,
			       ksm_file_node_params);
	rhl_for_each_entry_rcu(node, pos, list, hash) {
		if (!tries--)
			break;
		page = ksm_file_node_get(node);
		if (!page)
			continue;
		if (node->parts != ksm_file_parts ||
		    !ksm_file_node_allowed(node) ||
		    memcmp(&node->domain, domain, sizeof(*domain))) {
			/*
			 * By chance, or its domain has parts that tell nothing of
			 * @like: it would stay when these matter again.
			 */
		} else if (node->pxa.nr < params->max_sharing) {
			if (params->across_nodes ||
			    page_to_nid(page) == page_to_nid(like))
				break;
		} else {
			/* Hashed again when the scan finds it with room. */
			ksm_file_node_unhash(node);
			pxa_refuse(PXA_REFUSED_LIMIT);
		}
		unlock_page(page);
		put_page(page);
		page = NULL;
	}
	rcu_read_unlock();
	return page;
}

/* ----------------------------------------------------------- candidates -- */

static void ksm_file_cand_free(struct ksm_file_cand *cand)
{
	rhashtable_remove_fast(&ksm_file_cand_table, &cand->hash,
			       ksm_file_cand_params);
	list_del(&cand->list);
	kmem_cache_free(ksm_file_cand_cache, cand);
	ksm_file_nr_cands--;
}

/* Forget the candidates that the pass that ends now has not come across. */
static void ksm_file_cand_prune(void)
{
	struct ksm_file_cand *cand, *next;

	list_for_each_entry_safe(cand, next, &ksm_file_cands, list) {
		if (cand->seqnr == ksm_file_seqnr)
			break;
		ksm_file_cand_free(cand);
		cond_resched();
	}
}

/* Forget the oldest candidates.  Returns how many. */
static unsigned long ksm_file_cand_free_some(unsigned long nr)
{
	struct ksm_file_cand *cand, *next;
	unsigned long done = 0;

	list_for_each_entry_safe(cand, next, &ksm_file_cands, list) {
		if (done == nr)
			break;
		ksm_file_cand_free(cand);
		done++;
		cond_resched();
	}
	return done;
}

static void ksm_file_cand_free_all(void)
{
	ksm_file_cand_free_some(ULONG_MAX);
}

/* Without a scan nobody else frees them. */
static unsigned long ksm_file_shrink_count(struct shrinker *shrinker,
					   struct shrink_control *sc)
{
	return READ_ONCE(ksm_file_nr_cands);
}

static unsigned long ksm_file_shrink_scan(struct shrinker *shrinker,
					  struct shrink_control *sc)
{
	unsigned long done;

	/* Whoever has it may be waiting for memory. */
	if (!mutex_trylock(&ksm_thread_mutex))
		return SHRINK_STOP;
	done = ksm_file_cand_free_some(sc->nr_to_scan);
	mutex_unlock(&ksm_thread_mutex);
	return done ?: SHRINK_STOP;
}

static struct shrinker ksm_file_shrinker = {
	.count_objects	= ksm_file_shrink_count,
	.scan_objects	= ksm_file_shrink_scan,
	.seeks		= DEFAULT_SEEKS,
};

static void ksm_file_cand_set(struct ksm_file_cand *cand,
			      const struct ksm_file_item *item)
{
	cand->pfn = page_to_pfn(item->page);
	cand->mapping = item->mapping;
	cand->index = item->index;
	cand->seqnr = ksm_file_seqnr;
	list_move_tail(&cand->list, &ksm_file_cands);
}

static bool ksm_file_cand_is(const struct ksm_file_cand *cand,
			     const struct ksm_file_item *item)
{
	return cand->pfn == page_to_pfn(item->page) &&
	       cand->mapping == item->mapping && cand->index == item->index;
}

static void ksm_file_cand_add(u64 digest, const struct ksm_file_item *item)
{
	struct ksm_file_cand *cand;
	struct mem_cgroup *memcg;

	/* The oldest one is what will least be missed. */
	while (ksm_file_nr_cands &&
	       ksm_file_nr_cands >= READ_ONCE(ksm_file_max_unshared)) {
		ksm_file_cand_free(list_first_entry(&ksm_file_cands,
						    struct ksm_file_cand,
						    list));
		cond_resched();
	}

	memcg = ksm_file_charge(item->page);
	cand = kmem_cache_alloc(ksm_file_cand_cache, KSM_FILE_GFP);
	ksm_file_charge_end(memcg);
	if (!cand) {
		pxa_refuse(PXA_REFUSED_NOMEM);
		return;
	}
	cand->digest = digest;
	INIT_LIST_HEAD(&cand->list);
	ksm_file_cand_set(cand, item);
	ksm_file_nr_cands++;
	if (rhashtable_insert_fast(&ksm_file_cand_table, &cand->hash,
				   ksm_file_cand_params)) {
		list_del(&cand->list);
		kmem_cache_free(ksm_file_cand_cache, cand);
		ksm_file_nr_cands--;
		pxa_refuse(PXA_REFUSED_NOMEM);
	}
}

/*
 * Get the page of a candidate, locked and with a reference.  Nothing that the
 * candidate says is certain before; with the lock its place pins the mapping.
 */
static struct page *ksm_file_cand_get(const struct ksm_file_cand *cand)
{
	struct page *page = ksm_file_page_get(cand->pfn, cand->mapping);

	if (page && page->index != cand->index) {
		unlock_page(page);
		put_page(page);
		page = NULL;
	}
	return page;
}

/*
 * Is the place of a candidate in an area that is still advised?  Its page is
 * locked, which pins the mapping.  The area may be gone since it was scanned.  Not
 * asked is whether this area is one of who may read the file: with the lock of the
 * mapping held, a filesystem must not allocate for that.
 */
static bool ksm_file_cand_advised(const struct ksm_file_cand *cand)
{
	struct address_space *mapping = cand->mapping;
	struct vm_area_struct *vma;
	bool advised = false;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, cand->index,
				  cand->index) {
		/* Without mmap_lock: who changes it just now may be too late. */
		advised = READ_ONCE(vma->vm_flags) & VM_MERGEABLE;
		if (advised)
			break;
		cond_resched();
	}
	i_mmap_unlock_read(mapping);
	return advised;
}

/* -------------------------------------------------------------- merging -- */

static u64 ksm_file_digest(struct page *page,
			   const struct ksm_file_domain *domain,
			   const struct ksm_file_params *params)
{
	void *addr = kmap_atomic(page);
	u64 digest = xxh64(addr, PAGE_SIZE, ksm_file_seed);

	kunmap_atomic(addr);
	digest += xxh64(domain, sizeof(*domain), ksm_file_seed);
	/* Pages of different nodes are nothing to each other then. */
	return params->across_nodes ? digest : digest + page_to_nid(page);
}

static bool ksm_file_is_zero(struct page *page)
{
	void *addr = kmap_atomic(page);
	bool zero = !memchr_inv(addr, 0, PAGE_SIZE);

	kunmap_atomic(addr);
	return zero;
}

static int ksm_file_merge_into(const struct ksm_file_item *item,
			       struct page *page, struct pxa_alias **alias)
{
	struct ksm_file_node *node = container_of(page_pxa(page),
						  struct ksm_file_node, pxa);
	int err;

	if (!trylock_page(item->page))
		return pxa_refuse(PXA_REFUSED_BUSY);
	/* Only now that it is locked the page stays in its cgroup. */
	if (!ksm_file_domain_is(&node->domain, item->page, item->mapping))
		err = pxa_refuse(PXA_REFUSED_CHANGED);
	else
		err = pxa_merge(item->page, item->mapping, item->index, 1, page,
				*alias);
	if (!err)
		*alias = NULL;
	unlock_page(item->page);
	return err;
}

/*
 * Protect the locked page of a candidate and merge @item into it.  If that
 * fails it is made ordinary again.
 */
static int ksm_file_merge_two(struct page *page,
			      const struct ksm_file_cand *cand,
			      const struct ksm_file_domain *domain,
			      const struct ksm_file_params *params,
			      const struct ksm_file_item *item,
			      struct pxa_alias **alias)
{
	struct ksm_file_node *node;
	struct mem_cgroup *memcg;
	struct pxa_alias *first;
	int err;

	/* Since it was seen, any of this may have changed. */
	if (!ksm_file_domain_is(domain, page, cand->mapping) ||
	    (!params->across_nodes &&
	     page_to_nid(page) != page_to_nid(item->page)) ||
	    !ksm_file_cand_advised(cand))
		return pxa_refuse(PXA_REFUSED_CHANGED);

	/* Not from a cache of its own: kfree_rcu() frees it. */
	memcg = ksm_file_charge(page);
	node = kzalloc(sizeof(*node), KSM_FILE_GFP | __GFP_ACCOUNT);
	first = pxa_alias_alloc(KSM_FILE_GFP);
	ksm_file_charge_end(memcg);
	if (!node || !first) {
		err = pxa_refuse(PXA_REFUSED_NOMEM);
		goto free;
	}
	node->digest = cand->digest;
	node->domain = *domain;
	node->parts = ksm_file_parts;
	node->nid = page_to_nid(page);
	node->pxa.ops = &ksm_file_pxa_ops;

	if (!ksm_file_node_add(node)) {
		err = pxa_refuse(PXA_REFUSED_LIMIT);
		goto free;
	}
	err = pxa_protect(page, cand->mapping, cand->index, 1, &node->pxa,
			  first);
	if (err) {
		ksm_file_node_del(node);
		goto free;
	}
	/* From here on it can't change, as it may have before. */
	node->zero = ksm_file_is_zero(page);

	if (ksm_file_node_allowed(node))
		err = ksm_file_merge_into(item, page, alias);
	else
		err = pxa_refuse(PXA_REFUSED_CHANGED);
	/* The batch of pages on their way to the LRU has a reference. */
	if (err)
		lru_add_drain();
	/*
	 * If somebody else got one meanwhile it stays protected, with one
	 * alias, which is harmless: the next page that is equal finds it.
	 */
	if (!err || pxa_dissolve(page, 1))
		ksm_file_node_hash(node);
	return err;

free:
	pxa_alias_free(first);
	kfree(node);
	return err;
}

static void ksm_file_scan_shared(struct page *page,
				 const struct ksm_file_params *params)
{
	struct ksm_file_node *node;

	if (!trylock_page(page))
		return;
	if (page_is_ksm_file(page)) {
		node = container_of(page_pxa(page), struct ksm_file_node, pxa);
		/*
		 * Its domain is wider now, or it has moved to another node: it is
		 * looked for elsewhere.
		 */
		if (ksm_file_node_allowed(node) &&
		    (node->parts != ksm_file_parts ||
		     node->nid != page_to_nid(page))) {
			ksm_file_node_unhash(node);
			ksm_file_domain_widen(&node->domain);
			node->parts = ksm_file_parts;
			node->nid = page_to_nid(page);
			node->digest = ksm_file_digest(page, &node->domain,
						       params);
		}
		/* Its hash entry was given up while it was full. */
		if (node->pxa.nr < params->max_sharing)
			ksm_file_node_hash(node);
	}
	unlock_page(page);
}

/*
 * What can't be swapped takes up the bound even if nobody shares it any more. Without
 * swap no reclaim meets it, and no scan if no process advises it: look for it here,
 * in @npages nodes.
 */
static void ksm_file_make_room(unsigned int npages)
{
	/* No walk has its mark in the list, which turns here. */
	lockdep_assert_held(&ksm_thread_mutex);
	while (npages--) {
		unsigned long nr = READ_ONCE(ksm_file_nr_unswappable);
		struct ksm_file_node *node;
		struct page *page = NULL;

		if (!nr || nr < READ_ONCE(ksm_file_max_unswappable))
			return;

		spin_lock(&ksm_file_node_lock);
		node = list_first_entry_or_null(&ksm_file_nodes,
						struct ksm_file_node, list);
		if (node) {
			list_rotate_left(&ksm_file_nodes);
			if (ksm_file_node_unswappable(node))
				page = ksm_file_node_get(node);
		}
		spin_unlock(&ksm_file_node_lock);
		if (!node)
			return;
		if (page) {
			pxa_dissolve(page, 1);
			unlock_page(page);
			put_page(page);
		}
		cond_resched();
	}
}

/*
 * Do as many pages share others as may?  What cpus have not folded into the counter
 * is looked at only where it may matter.
 */
static bool ksm_file_all_shared(void)
{
	unsigned long max = READ_ONCE(ksm_file_max_sharing);
	unsigned long unfolded = (unsigned long)S8_MAX * num_online_cpus() *
				 num_online_nodes();

	return global_node_page_state(NR_PXA_SHARING) + unfolded >= max &&
	       pxa_node_state(NR_PXA_SHARING) >= max;
}

static void ksm_file_scan_page(const struct ksm_file_item *item,
			       const struct ksm_file_params *params)
{
	struct page *page = item->page, *other;
	struct ksm_file_domain domain;
	struct ksm_file_cand *cand;
	struct mem_cgroup *memcg;
	struct pxa_alias *alias;
	u64 digest;

	if (PageXA(page)) {
		ksm_file_scan_shared(page, params);
		return;
	}
	if (!pxa_page_allowed(page)) {
		pxa_refuse(PXA_REFUSED_UNSUPPORTED);
		return;
	}
	if ((PageDirty(page) && !PageSwapBacked(page)) || PageWriteback(page)) {
		pxa_refuse(PXA_REFUSED_DIRTY);
		return;
	}

	if (ksm_file_only_zero && !ksm_file_is_zero(page))
		return;
	if (ksm_file_all_shared()) {
		pxa_refuse(PXA_REFUSED_LIMIT);
		return;
	}

	ksm_file_domain_get(&domain, page, item->mapping);
	digest = ksm_file_digest(page, &domain, params);

	memcg = ksm_file_charge(page);
	alias = pxa_alias_alloc(KSM_FILE_GFP);
	ksm_file_charge_end(memcg);
	if (!alias) {
		pxa_refuse(PXA_REFUSED_NOMEM);
		return;
	}

	cand = rhashtable_lookup_fast(&ksm_file_cand_table, &digest,
				      ksm_file_cand_params);

	other = ksm_file_find_node(digest, page, &domain, params);
	if (other) {
		ksm_file_merge_into(item, other, &alias);
		/* Taken or not, there is a shared page to merge with. */
		if (cand)
			ksm_file_cand_free(cand);
	} else if (!cand) {
		ksm_file_cand_add(digest, item);
	} else if (ksm_file_cand_is(cand, item)) {
		ksm_file_cand_set(cand, item);
	} else {
		other = ksm_file_cand_get(cand);
		/*
		 * A failure may be due to the reference that this batch has if
		 * that page is further on: let it find this page instead.
		 */
		if (other &&
		    !ksm_file_merge_two(other, cand, &domain, params, item,
					&alias))
			ksm_file_cand_free(cand);
		else
			ksm_file_cand_set(cand, item);
	}
	if (other) {
		unlock_page(other);
		put_page(other);
	}
	pxa_alias_free(alias);
}

/* ----------------------------------------------------------- discovery -- */

/* May everybody read it? Security modules are not asked. */
static bool ksm_file_public(struct inode *inode)
{
	struct posix_acl *acl;

	if ((inode->i_mode & 0444) != 0444)
		return false;
	if (!IS_ENABLED(CONFIG_FS_POSIX_ACL))
		return true;
	acl = get_acl(inode, ACL_TYPE_ACCESS);
	if (IS_ERR_OR_NULL(acl))
		return !acl;
	posix_acl_release(acl);
	return false;
}

/*
 * A program that was started has its file mapped, though the user may execute,
 * but not read it.  Then it is not for the user to have it merged.  Below
 * overlayfs it is the mounter who has opened the file, and the user is not known.
 */
static bool ksm_file_readable(struct file *file)
{
	struct inode *inode = d_inode(file->f_path.dentry);
	const struct cred *old;
	int err;

	if (!(file->f_mode & FMODE_READ))
		return false;
	if (!(file->f_flags & __FMODE_EXEC))
		return true;
	if (inode != file_inode(file))
		return ksm_file_public(inode);
	old = override_creds(file->f_cred);
	err = inode_permission(inode, MAY_READ);
	revert_creds(old);
	return !err;
}

/**
 * ksm_file_vma - may KSM look at the file pages of this area?
 * @vma: the area, under mmap_lock
 *
 * The filesystem has to be asked before a page is written through the area, or
 * else its page protection could allow to write to a shared page, which is looked
 * after for shmem only. And the file was opened by somebody who may read it.
 *
 * Return: true if it may.
 */
bool ksm_file_vma(struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_ops &&
	       (vma->vm_ops->page_mkwrite ||
		shmem_mapping(vma->vm_file->f_mapping)) &&
	       (vma->vm_flags & VM_MAYREAD) &&
	       mapping_pxa_allowed(vma->vm_file->f_mapping) &&
	       ksm_file_readable(vma->vm_file);
}

/* Called under ksm_file_slot_lock. */
static struct ksm_file_slot *ksm_file_slot_find(struct mm_struct *mm)
{
	struct ksm_file_slot *slot;

	hash_for_each_possible(ksm_file_slots, slot, link, (unsigned long)mm)
		if (slot->mm == mm)
			return slot;
	return NULL;
}

/**
 * ksm_file_enter - a process has its first advised area
 * @mm: the process
 *
 * Return: 0 or -ENOMEM.
 */
int ksm_file_enter(struct mm_struct *mm)
{
	struct ksm_file_slot *slot;

	slot = kmem_cache_zalloc(ksm_file_slot_cache, GFP_KERNEL);
	if (!slot)
		return -ENOMEM;
	mmgrab(mm);
	slot->mm = mm;
	spin_lock(&ksm_file_slot_lock);
	hash_add(ksm_file_slots, &slot->link, (unsigned long)mm);
	list_add_tail(&slot->list, &ksm_file_slot_list);
	spin_unlock(&ksm_file_slot_lock);
	return 0;
}

/* Go on with the process after @slot, or from the start after the last one. */
static void ksm_file_advance(struct ksm_file_slot *slot)
{
	lockdep_assert_held(&ksm_file_slot_lock);
	if (!slot)
		slot = list_first_entry_or_null(&ksm_file_slot_list,
						struct ksm_file_slot, list);
	else if (list_is_last(&slot->list, &ksm_file_slot_list))
		slot = NULL;
	else
		slot = list_next_entry(slot, list);
	ksm_file_cursor = slot;
	ksm_file_address = 0;
}

/* Is the scan at work on @mm?  Only under the lock its slot is sure to exist. */
static bool ksm_file_mm_busy(struct mm_struct *mm)
{
	struct ksm_file_slot *slot;
	bool busy;

	spin_lock(&ksm_file_slot_lock);
	slot = ksm_file_slot_find(mm);
	busy = slot && slot->busy;
	spin_unlock(&ksm_file_slot_lock);
	return busy;
}

/**
 * ksm_file_exit - a process has no advised areas any more, or goes away
 * @mm: the process; the caller has a reference by mmgrab() or is its last user
 *
 * If the scan is at work on it, waits until that has let go of the areas.
 *
 * Context: under mmap_lock only if the caller is ksmd, which is not at work on
 * @mm then.
 */
void ksm_file_exit(struct mm_struct *mm)
{
	struct ksm_file_slot *slot;

	spin_lock(&ksm_file_slot_lock);
	while ((slot = ksm_file_slot_find(mm)) && slot->busy) {
		spin_unlock(&ksm_file_slot_lock);
		/* ksmd may be the first to free the slot. */
		wait_event(ksm_file_idle, !ksm_file_mm_busy(mm));
		spin_lock(&ksm_file_slot_lock);
	}
	if (slot) {
		if (slot == ksm_file_cursor)
			ksm_file_advance(slot);
		hash_del(&slot->link);
		list_del(&slot->list);
	}
	spin_unlock(&ksm_file_slot_lock);

	if (slot) {
		mmdrop(slot->mm);
		kmem_cache_free(ksm_file_slot_cache, slot);
	}
}

/*
 * Examine up to @npages resident pages of @vma from ksm_file_address on, which
 * is moved along.  Returns the cost, as a number of pages.
 */
static unsigned int ksm_file_scan_vma(struct vm_area_struct *vma,
				      unsigned int npages,
				      const struct ksm_file_params *params)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	pgoff_t start = linear_page_index(vma, ksm_file_address);
	pgoff_t end = linear_page_index(vma, vma->vm_end);
	struct page *pages[PAGEVEC_SIZE];
	pgoff_t indices[PAGEVEC_SIZE];
	unsigned int i, nr, done = 0;

	nr = find_get_entries(mapping, start,
			      min_t(unsigned int, npages, PAGEVEC_SIZE),
			      pages, indices);
	for (i = 0; i < nr; i++) {
		struct ksm_file_item item = {
			.page = pages[i],
			.mapping = mapping,
			.index = indices[i],
		};

		if (xa_is_value(pages[i]))
			continue;
		if (indices[i] < end) {
			ksm_file_scan_page(&item, params);
			done++;
			cond_resched();
		}
		put_page(pages[i]);
	}
	if (!nr || indices[nr - 1] + 1 >= end)
		ksm_file_address = vma->vm_end;
	else
		ksm_file_address += (indices[nr - 1] + 1 - start) << PAGE_SHIFT;
	/* A walk over nothing takes its time too. */
	return max(done, 1U);
}

/*
 * Examine some pages of @mm, or pass by some of its other areas, of which there
 * may be very many.  Its mmap_lock is held all the time: it pins the files, and
 * madvise() waits for it.  Returns the cost, as a number of pages, or a negative
 * number at the end of its areas.
 */
static int ksm_file_scan_mm(struct mm_struct *mm, unsigned int npages,
			    const struct ksm_file_params *params)
{
	struct vm_area_struct *vma = NULL;
	int areas = KSM_FILE_AREAS, done = -1;

	mmap_read_lock(mm);
	if (atomic_read(&mm->mm_users))	/* else it is exiting */
		vma = find_vma(mm, ksm_file_address);
	for (; vma && done < 0; vma = vma->vm_next) {
		ksm_file_address = max(ksm_file_address, vma->vm_start);
		if ((vma->vm_flags & VM_MERGEABLE) && ksm_file_vma(vma)) {
			done = ksm_file_scan_vma(vma, npages, params);
		} else {
			ksm_file_address = vma->vm_end;
			if (!--areas)
				done = 1;
		}
	}
	mmap_read_unlock(mm);
	return done;
}

/*
 * Examine some pages of the process at the cursor, and move on when it is done.
 * Returns the cost, or a negative number at the end of a pass.
 */
static int ksm_file_scan_some(unsigned int npages,
			      const struct ksm_file_params *params)
{
	struct ksm_file_slot *slot;
	int done;

	spin_lock(&ksm_file_slot_lock);
	/* Else the last process of this pass has exited. */
	if (!ksm_file_cursor && !ksm_file_in_pass)
		ksm_file_advance(NULL);
	slot = ksm_file_cursor;
	ksm_file_in_pass = slot;
	if (slot)
		slot->busy = true;
	spin_unlock(&ksm_file_slot_lock);
	if (!slot)
		return -1;

	done = ksm_file_scan_mm(slot->mm, npages, params);

	spin_lock(&ksm_file_slot_lock);
	if (done < 0) {
		ksm_file_advance(slot);
		/* A process without pages takes its time too. */
		if (ksm_file_cursor)
			done = 1;
		else
			ksm_file_in_pass = false;
	}
	slot->busy = false;
	/* Then the slot may be gone: ksm_file_exit() waits for it. */
	spin_unlock(&ksm_file_slot_lock);
	wake_up_all(&ksm_file_idle);
	return done;
}

/**
 * ksm_file_scan - examine some file pages
 * @npages: how many at most
 * @params: the limits that sysfs sets for all of KSM
 *
 * Stops early at the end of a pass over all processes.
 *
 * Context: ksmd, under ksm_thread_mutex.
 */
void ksm_file_scan(unsigned int npages, const struct ksm_file_params *params)
{
	if (!READ_ONCE(ksm_file_enabled))
		return;

	/* A page that waits to be put on the LRU counts as busy. */
	if (!ksm_file_drained) {
		lru_add_drain_all();
		ksm_file_drained = true;
	}
	ksm_file_make_room(npages);

	while (npages && likely(!freezing(current))) {
		int done = ksm_file_scan_some(npages, params);

		if (done < 0) {
			ksm_file_cand_prune();
			WRITE_ONCE(ksm_file_seqnr, ksm_file_seqnr + 1);
			ksm_file_drained = false;
			return;
		}
		npages -= done;
		cond_resched();
	}
}

/* -------------------------------------------------------------- undoing -- */

/**
 * ksm_file_unmerge_vma - stop sharing the file pages of an area
 * @vma: the area; mmap_lock is held for writing
 * @start: first address
 * @end: end address
 *
 * Return: 0, or -ENOMEM if some are still shared.
 */
int ksm_file_unmerge_vma(struct vm_area_struct *vma, unsigned long start,
			 unsigned long end)
{
	/* mremap() of no page at all, which asks for another area of the same. */
	if (start == end)
		return 0;
	/* Also if the file has become one that is not scanned any more. */
	if (!vma->vm_file ||
	    !(file_inode(vma->vm_file)->i_sb->s_type->fs_flags & FS_ALLOW_PXA))
		return 0;
	return pxa_break_range(vma->vm_file->f_mapping,
			       linear_page_index(vma, start),
			       linear_page_index(vma, end - 1));
}

/*
 * Break all aliases of a locked page.  Returns false if some have to stay until
 * there is memory, since the page has no other copy.
 */
static bool ksm_file_unmerge_page(struct page *page)
{
	while (page_is_ksm_file(page)) {
		struct pxa_alias *alias;

		alias = hlist_entry(page_pxa(page)->aliases.first,
				    struct pxa_alias, node);
		if (pxa_break_alias(page, alias->mapping, alias->index) ==
		    -ENOMEM && PageSwapBacked(page))
			return false;
		cond_resched();
	}
	return true;
}

/* Does a walk want this page, for all or only for what is forbidden? */
static bool ksm_file_walk_wants(const struct ksm_file_node *node, bool all)
{
	/* Without operations it is the mark of another walk. */
	return node->pxa.ops && (all || !ksm_file_node_allowed(node));
}

/*
 * Step over a few nodes, up to and including one that is wanted and not busy,
 * whose page is returned locked and with a reference.
 */
static struct page *ksm_file_walk_step(struct ksm_file_node *mark, bool all,
				       bool *busy)
{
	struct ksm_file_node *node;
	struct page *page = NULL;
	int i;

	lockdep_assert_held(&ksm_file_node_lock);
	for (i = 0; i < KSM_FILE_TRIES && !page; i++) {
		if (list_is_last(&mark->list, &ksm_file_nodes))
			break;
		node = list_next_entry(mark, list);
		list_move(&mark->list, &node->list);
		if (ksm_file_walk_wants(node, all)) {
			page = ksm_file_node_get(node);
			/* Somebody who has the page locked may be slow. */
			*busy |= !page;
		}
	}
	return page;
}

/*
 * Go over all nodes once.  A mark in the list tells where to go on, so that the
 * lock is held for a few of them at a time, however many there are.  Returns 0,
 * -EAGAIN if some were busy, or -ENOMEM if there was no memory for some.
 */
static int ksm_file_unmerge_round(bool all)
{
	struct ksm_file_node mark = { };
	bool busy = false, end;
	int err = 0;

	spin_lock(&ksm_file_node_lock);
	list_add(&mark.list, &ksm_file_nodes);
	spin_unlock(&ksm_file_node_lock);
	do {
		struct page *page;

		spin_lock(&ksm_file_node_lock);
		page = ksm_file_walk_step(&mark, all, &busy);
		end = list_is_last(&mark.list, &ksm_file_nodes);
		spin_unlock(&ksm_file_node_lock);
		if (page) {
			if (!ksm_file_unmerge_page(page))
				err = -ENOMEM;
			unlock_page(page);
			put_page(page);
		}
		cond_resched();
	} while (!end && !signal_pending(current));

	spin_lock(&ksm_file_node_lock);
	list_del(&mark.list);
	spin_unlock(&ksm_file_node_lock);
	if (!err && (busy || !end))
		err = -EAGAIN;
	return err;
}

static int ksm_file_unmerge_walk(bool all)
{
	int rounds = KSM_FILE_ROUNDS;
	int err;

	while ((err = ksm_file_unmerge_round(all))) {
		if (signal_pending(current))
			return -ERESTARTSYS;
		if (err == -ENOMEM &&
		    (!--rounds || pxa_make_room(GFP_HIGHUSER_MOVABLE)))
			return err;
		schedule_timeout_uninterruptible(1);
	}
	return 0;
}

/**
 * ksm_file_unmerge_all - stop sharing all file pages
 *
 * Context: process context, under ksm_thread_mutex, so that no new ones come.
 * Return: 0, -ERESTARTSYS if a signal came first, or -ENOMEM if pages of shmem are
 * still shared.
 */
int ksm_file_unmerge_all(void)
{
	lockdep_assert_held(&ksm_thread_mutex);
	ksm_file_cand_free_all();
	return ksm_file_unmerge_walk(true);
}

/**
 * ksm_file_in_use - is there a file page that KSM protects?
 *
 * What would not hold for pages that are shared already may not be set then,
 * as for anonymous ones.
 *
 * Context: any, under ksm_thread_mutex, so that no new ones come.
 * Return: true if there is.
 */
bool ksm_file_in_use(void)
{
	lockdep_assert_held(&ksm_thread_mutex);
	return !list_empty_careful(&ksm_file_nodes);
}

/*
 * Change what may be merged, and end what may not be any more.  Which cgroup
 * the page of an alias was charged to is not known, so all aliases of a page of
 * a domain that was wider are broken; those that still may are merged again.
 * If a signal comes first, the rest stays shared, but nothing is merged into it.
 */
static int ksm_file_set_rules(u8 parts, bool only_zero)
{
	int err;

	lockdep_assert_held(&ksm_thread_mutex);
	WRITE_ONCE(ksm_file_parts, parts);
	WRITE_ONCE(ksm_file_only_zero, only_zero);
	ksm_file_cand_free_all();
	/* Where the copies do not fit, no other process has to pay for that. */
	set_current_oom_origin();
	err = ksm_file_unmerge_walk(false);
	clear_current_oom_origin();
	return err;
}

/* ------------------------------------------------------ sysctl and sysfs -- */

static struct ctl_table ksm_file_sysctls[] = {
	{
		.procname	= "ksm_file",
		.data		= &ksm_file_enabled,
		.maxlen		= sizeof(ksm_file_enabled),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{ }
};

#ifdef CONFIG_SYSFS

static ssize_t file_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sprintf(buf, "%d\n", READ_ONCE(ksm_file_enabled));
}

static ssize_t file_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	unsigned int value;

	if (kstrtouint(buf, 10, &value) || value > 1)
		return -EINVAL;
	WRITE_ONCE(ksm_file_enabled, value);
	return count;
}

static struct kobj_attribute file_attr = __ATTR_RW(file);

static const char * const ksm_file_part_names[] = {
	"userns", "memcg", "owner",
};

static ssize_t file_domain_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	u8 parts = READ_ONCE(ksm_file_parts);
	ssize_t len = 0;
	int i;

	if (!parts)
		return sprintf(buf, "none\n");
	for (i = 0; i < ARRAY_SIZE(ksm_file_part_names); i++)
		if (parts & 1U << i)
			len += sprintf(buf + len, "%s%s", len ? " " : "",
				       ksm_file_part_names[i]);
	return len + sprintf(buf + len, "\n");
}

/* Returns KSM_FILE_*, or a negative errno. The text is taken to pieces. */
static int ksm_file_parse_parts(char *text)
{
	char *word;
	int i, parts = 0;

	text = strim(text);
	if (!strcmp(text, "none"))
		return 0;
	while ((word = strsep(&text, " \t\n,"))) {
		if (!*word)
			continue;
		i = match_string(ksm_file_part_names,
				 ARRAY_SIZE(ksm_file_part_names), word);
		if (i < 0)
			return -EINVAL;
		parts |= 1 << i;
	}
	return parts ?: -EINVAL;
}

static ssize_t file_domain_store(struct kobject *kobj,
				 struct kobj_attribute *attr, const char *buf,
				 size_t count)
{
	int err, parts;
	char *text;

	/* Root of a container may have sysfs, too. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	text = kstrndup(buf, count, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	parts = ksm_file_parse_parts(text);
	kfree(text);
	if (parts < 0)
		return parts;
	/* ksmd has it while it waits for the areas of a process. */
	if (mutex_lock_interruptible(&ksm_thread_mutex))
		return -ERESTARTSYS;
	err = ksm_file_set_rules(parts, ksm_file_only_zero);
	mutex_unlock(&ksm_thread_mutex);
	return err ?: count;
}

static struct kobj_attribute file_domain_attr = __ATTR_RW(file_domain);

static ssize_t file_content_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	return sprintf(buf, "%s\n",
		       READ_ONCE(ksm_file_only_zero) ? "zero" : "any");
}

static ssize_t file_content_store(struct kobject *kobj,
				  struct kobj_attribute *attr, const char *buf,
				  size_t count)
{
	bool zero = sysfs_streq(buf, "zero");
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!zero && !sysfs_streq(buf, "any"))
		return -EINVAL;
	if (mutex_lock_interruptible(&ksm_thread_mutex))
		return -ERESTARTSYS;
	err = ksm_file_set_rules(ksm_file_parts, zero);
	mutex_unlock(&ksm_thread_mutex);
	return err ?: count;
}

static struct kobj_attribute file_content_attr = __ATTR_RW(file_content);

#define KSM_FILE_BOUND(name)						\
static ssize_t file_##name##_show(struct kobject *kobj,		\
				  struct kobj_attribute *attr, char *buf) \
{									\
	return sprintf(buf, "%lu\n", READ_ONCE(ksm_file_##name));	\
}									\
static ssize_t file_##name##_store(struct kobject *kobj,		\
				   struct kobj_attribute *attr,		\
				   const char *buf, size_t count)	\
{									\
	unsigned long value;						\
									\
	if (kstrtoul(buf, 10, &value))					\
		return -EINVAL;						\
	WRITE_ONCE(ksm_file_##name, value);				\
	return count;							\
}									\
static struct kobj_attribute file_##name##_attr = __ATTR_RW(file_##name)

KSM_FILE_BOUND(max_sharing);
KSM_FILE_BOUND(max_unshared);
KSM_FILE_BOUND(max_unswappable);

static ssize_t file_full_scans_show(struct kobject *kobj,
				    struct kobj_attribute *attr, char *buf)
{
	return sprintf(buf, "%lu\n", READ_ONCE(ksm_file_seqnr));
}

static struct kobj_attribute file_full_scans_attr = __ATTR_RO(file_full_scans);

/*
 * Who could watch them move would know what others have in memory, and root of a
 * container may read files of mode 0400, too.
 */
#define KSM_FILE_COUNTER(name, expr)					\
static ssize_t name##_show(struct kobject *kobj,			\
			   struct kobj_attribute *attr, char *buf)	\
{									\
	if (__pxa_stat_hidden(NULL))					\
		return -EPERM;						\
	return sprintf(buf, "%lu\n", expr);				\
}									\
static struct kobj_attribute name##_attr = __ATTR_RO_MODE(name, 0400)

KSM_FILE_COUNTER(file_pages_unshared, READ_ONCE(ksm_file_nr_cands));
KSM_FILE_COUNTER(file_pages_shared, pxa_node_state(NR_PXA_SHARED));
KSM_FILE_COUNTER(file_pages_unswappable, READ_ONCE(ksm_file_nr_unswappable));
KSM_FILE_COUNTER(file_pages_sharing, pxa_node_state(NR_PXA_SHARING));
KSM_FILE_COUNTER(file_merges, pxa_event(PXA_MERGE));
KSM_FILE_COUNTER(file_breaks, pxa_event(PXA_BREAK));
KSM_FILE_COUNTER(file_drops, pxa_event(PXA_DROP));
KSM_FILE_COUNTER(file_reclaims, pxa_event(PXA_RECLAIM));
KSM_FILE_COUNTER(file_refused_busy, pxa_event(PXA_REFUSED_BUSY));
KSM_FILE_COUNTER(file_refused_pinned, pxa_event(PXA_REFUSED_PINNED));
KSM_FILE_COUNTER(file_refused_dirty, pxa_event(PXA_REFUSED_DIRTY));
KSM_FILE_COUNTER(file_refused_private, pxa_event(PXA_REFUSED_PRIVATE));
KSM_FILE_COUNTER(file_refused_changed, pxa_event(PXA_REFUSED_CHANGED));
KSM_FILE_COUNTER(file_refused_limit, pxa_event(PXA_REFUSED_LIMIT));
KSM_FILE_COUNTER(file_refused_unsupported, pxa_event(PXA_REFUSED_UNSUPPORTED));
KSM_FILE_COUNTER(file_refused_nomem, pxa_event(PXA_REFUSED_NOMEM));

static struct attribute *ksm_file_attrs[] = {
	&file_attr.attr,
	&file_domain_attr.attr,
	&file_content_attr.attr,
	&file_max_sharing_attr.attr,
	&file_max_unshared_attr.attr,
	&file_max_unswappable_attr.attr,
	&file_full_scans_attr.attr,
	&file_pages_shared_attr.attr,
	&file_pages_sharing_attr.attr,
	&file_pages_unswappable_attr.attr,
	&file_pages_unshared_attr.attr,
	&file_merges_attr.attr,
	&file_breaks_attr.attr,
	&file_drops_attr.attr,
	&file_reclaims_attr.attr,
	&file_refused_busy_attr.attr,
	&file_refused_pinned_attr.attr,
	&file_refused_dirty_attr.attr,
	&file_refused_private_attr.attr,
	&file_refused_changed_attr.attr,
	&file_refused_limit_attr.attr,
	&file_refused_unsupported_attr.attr,
	&file_refused_nomem_attr.attr,
	NULL,
};

static const struct attribute_group ksm_file_attr_group = {
	.attrs = ksm_file_attrs,
	.name = "ksm",		/* merged into the folder of mm/ksm.c */
};

static int __init ksm_file_sysfs_init(void)
{
	return sysfs_merge_group(mm_kobj, &ksm_file_attr_group);
}

#else

static int __init ksm_file_sysfs_init(void)
{
	return 0;
}

#endif /* CONFIG_SYSFS */

/* Before ksm_init(), whose daemon uses all of this. */
static int __init ksm_file_init(void)
{
	int err;

	ksm_file_cand_cache = KMEM_CACHE(ksm_file_cand,
					 SLAB_PANIC | SLAB_ACCOUNT);
	ksm_file_slot_cache = KMEM_CACHE(ksm_file_slot,
					 SLAB_PANIC | SLAB_ACCOUNT);
	/*
	 * One candidate for each page of memory is what an honest load can
	 * need, and some 2 % of it.  Aliases come on top of what slots of the
	 * page cache take, but only as many as the pages that were merged; this
	 * many are 4 %.
	 */
	ksm_file_max_unshared = totalram_pages();
	ksm_file_max_sharing = 4 * totalram_pages();
	/* Shared pages of shmem stay in memory, whose use is thus limited. */
	ksm_file_max_unswappable = totalram_pages() / 4;

	err = rhltable_init(&ksm_file_node_table, &ksm_file_node_params);
	if (!err)
		err = rhashtable_init(&ksm_file_cand_table,
				      &ksm_file_cand_params);
	if (!err)
		err = register_shrinker(&ksm_file_shrinker);
	/* Without the tables nothing may be advised, and so nothing scanned. */
	if (err)
		panic("ksm: no memory for the tables of file pages: %d\n", err);
	register_sysctl("vm", ksm_file_sysctls);
	return 0;
}
core_initcall(ksm_file_init);

/* After ksm_init() has made the folder, and with some entropy collected. */
static int __init ksm_file_late_init(void)
{
	int err = ksm_file_sysfs_init();

	ksm_file_seed = get_random_u64();
	if (err)
		pr_err("ksm: register sysfs for file pages failed: %d\n", err);
	return err;
}
late_initcall(ksm_file_late_init);

#ifdef CONFIG_KSM_FILE_KUNIT_TEST
#include "ksm-file_test.c"
#endif
