/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups for tests, and the way they are published.
 */
#ifndef HF_TEST_SAMPLE_H
#define HF_TEST_SAMPLE_H

#include "catalog/catalog.h"
#include "catalog/objects.h"
#include "memory_sink.h"

#include <check.h>

#define SAMPLE_ID "sqlite_20260201_120000"
#define SAMPLE_MS INT64_C(1769947200000)

/* Two artifacts, "events" and "signals", encoded by a stage; the stored bytes of each are its own key's text. */
struct hf_manifest *sample_manifest(const char *id);
/* As a backup does it: record, artifacts, checksums, manifest, record gone. Stops at the first failure. */
/* The same with its first artifact standing aside. */
struct hf_manifest *sample_manifest_aside(const char *id);
int sample_publish(struct hf_ctx *, struct memory_sink *, const struct hf_manifest *);
/* The same, for whoever aborts it then. */
int sample_publish_in(struct hf_ctx *, struct memory_sink *, const struct hf_manifest *, struct hf_commit *);
/* The same, where nothing may fail. */
void sample_store(struct memory_sink *, const char *id);
/* Fails the test, with the message, when the ctx holds a failure. */
void sample_expect_ok(int rc, struct hf_ctx *);

Suite *suite_keys(void);
Suite *suite_scan(void);
Suite *suite_manifest(void);
Suite *suite_hostile(void);
Suite *suite_sealed(void);
Suite *suite_retention(void);
Suite *suite_known(void);
Suite *suite_catalog(void);
Suite *suite_commit(void);

#endif
