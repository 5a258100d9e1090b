/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pxa

#if !defined(_TRACE_PXA_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_PXA_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(pxa_alias,

	TP_PROTO(struct page *page, struct address_space *mapping,
		 pgoff_t index, unsigned int nr),

	TP_ARGS(page, mapping, index, nr),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(dev_t, s_dev)
		__field(unsigned long, i_ino)
		__field(pgoff_t, index)
		__field(unsigned int, nr)
	),

	TP_fast_assign(
		__entry->pfn = page_to_pfn(page);
		__entry->s_dev = mapping->host->i_sb->s_dev;
		__entry->i_ino = mapping->host->i_ino;
		__entry->index = index;
		__entry->nr = nr;
	),

	TP_printk("pfn=%lx dev=%d:%d ino=%lx index=%lu aliases=%u",
		  __entry->pfn, MAJOR(__entry->s_dev), MINOR(__entry->s_dev),
		  __entry->i_ino, __entry->index, __entry->nr)
);

/* The page became protected in place: its slot is the first alias. */
DEFINE_EVENT(pxa_alias, pxa_protect,
	TP_PROTO(struct page *page, struct address_space *mapping,
		 pgoff_t index, unsigned int nr),
	TP_ARGS(page, mapping, index, nr)
);

/* The slot gave up its own page and shares the protected one. */
DEFINE_EVENT(pxa_alias, pxa_merge,
	TP_PROTO(struct page *page, struct address_space *mapping,
		 pgoff_t index, unsigned int nr),
	TP_ARGS(page, mapping, index, nr)
);

/* The slot got an ordinary page again. */
DEFINE_EVENT(pxa_alias, pxa_break,
	TP_PROTO(struct page *page, struct address_space *mapping,
		 pgoff_t index, unsigned int nr),
	TP_ARGS(page, mapping, index, nr)
);

/* The slot was emptied. */
DEFINE_EVENT(pxa_alias, pxa_drop,
	TP_PROTO(struct page *page, struct address_space *mapping,
		 pgoff_t index, unsigned int nr),
	TP_ARGS(page, mapping, index, nr)
);

#ifdef CONFIG_DEBUG_PXA
/* Something is wrong with a protected page; index -1 if it is about no slot. */
TRACE_EVENT(pxa_problem,

	TP_PROTO(struct page *page, struct address_space *mapping,
		 pgoff_t index, const char *what),

	TP_ARGS(page, mapping, index, what),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(dev_t, s_dev)
		__field(unsigned long, i_ino)
		__field(pgoff_t, index)
		__string(what, what)
	),

	TP_fast_assign(
		__entry->pfn = page_to_pfn(page);
		__entry->s_dev = mapping ? mapping->host->i_sb->s_dev : 0;
		__entry->i_ino = mapping ? mapping->host->i_ino : 0;
		__entry->index = mapping ? index : -1;
		__assign_str(what, what);
	),

	TP_printk("pfn=%lx dev=%d:%d ino=%lx index=%ld: %s",
		  __entry->pfn, MAJOR(__entry->s_dev), MINOR(__entry->s_dev),
		  __entry->i_ino, __entry->index, __get_str(what))
);
#endif /* CONFIG_DEBUG_PXA */

#endif /* _TRACE_PXA_H */

#include <trace/define_trace.h>
