/* SPDX-License-Identifier: GPL-2.0 */
/* What mm/ksm.c and the scanner of file pages, mm/ksm-file.c, share. */
#ifndef _MM_KSM_FILE_H
#define _MM_KSM_FILE_H

#include <linux/mutex.h>
#include <linux/types.h>

struct mm_struct;
struct vm_area_struct;

/**
 * struct ksm_file_params - the settings of mm/ksm.c that hold for files too
 * @max_sharing: how many aliases a page may have, max_page_sharing
 * @across_nodes: pages of different NUMA nodes may be merged
 */
struct ksm_file_params {
	unsigned int	max_sharing;
	bool		across_nodes;
};

/* Who holds it keeps ksmd from scanning. */
extern struct mutex ksm_thread_mutex;

#ifdef CONFIG_KSM_FILE

bool ksm_file_vma(struct vm_area_struct *vma);
int ksm_file_enter(struct mm_struct *mm);
void ksm_file_exit(struct mm_struct *mm);
void ksm_file_scan(unsigned int npages, const struct ksm_file_params *params);
int ksm_file_unmerge_vma(struct vm_area_struct *vma, unsigned long start,
			 unsigned long end);
int ksm_file_unmerge_all(void);
bool ksm_file_in_use(void);

#else

static inline bool ksm_file_vma(struct vm_area_struct *vma)
{
	return false;
}

static inline int ksm_file_enter(struct mm_struct *mm)
{
	return 0;
}

static inline void ksm_file_exit(struct mm_struct *mm)
{
}

static inline void ksm_file_scan(unsigned int npages,
				 const struct ksm_file_params *params)
{
}

static inline int ksm_file_unmerge_vma(struct vm_area_struct *vma,
				       unsigned long start, unsigned long end)
{
	return 0;
}

static inline int ksm_file_unmerge_all(void)
{
	return 0;
}

static inline bool ksm_file_in_use(void)
{
	return false;
}

#endif /* CONFIG_KSM_FILE */

#endif /* _MM_KSM_FILE_H */
