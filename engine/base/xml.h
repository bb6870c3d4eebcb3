/* XML for providers that speak SOAP: libexpat reads it into a small tree. A document type, and with
 * it every entity but the five, is refused; depth, size and number of nodes are bounded. Names are
 * split into namespace and local name. */
#ifndef LUWAK_BASE_XML_H
#define LUWAK_BASE_XML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define XML_SIZE      ((size_t)1 << 20) /* bytes of a text */
#define XML_DEPTH     64                /* elements inside each other */
#define XML_NODES_MAX 20000             /* elements and attributes */

struct xml_attr {
    struct xml_attr *next;
    struct str space, name, value;
};

struct xml_node {
    struct str space; /* namespace, "" for none */
    struct str name;  /* local */
    struct str text;  /* all character data directly inside, joined */
    struct xml_attr *attrs;
    struct xml_node *first, *next;
};

struct xml_doc {
    struct arena arena; /* holds everything */
    struct xml_node *root;
};

int xml_parse(struct xml_doc *doc, struct str text, struct why *why); /* fails: nothing to free */
void xml_doc_free(struct xml_doc *doc);

/* By local names, "Body/inquiryResult/currency"; the first that fits, NULL if none does. */
const struct xml_node *xml_find(const struct xml_node *node, struct str path);
const struct xml_attr *xml_attr(const struct xml_node *node, struct str name);

/* Appends text with the five characters escaped; E_SYNTAX for what XML cannot hold (control
 * characters, bytes that are not UTF-8). */
int xml_escape(struct str text, struct buf *out);
bool xml_is_name(struct str name); /* ASCII; one colon allowed */

#endif
