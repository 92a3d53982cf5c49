/** A node of a {@link LinkedList}: belongs to one list at a time. */
export interface ListNode {
  previous: ListNode | undefined;
  next: ListNode | undefined;
}

/** Doubly linked, because history and cached items leave from the middle too: every step is O(1). */
export class LinkedList<T extends ListNode> {
  #first: ListNode | undefined;
  #last: ListNode | undefined;

  get first(): T | undefined {
    return this.#first as T | undefined;
  }

  push(node: T): void {
    node.previous = this.#last;
    node.next = undefined;
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
  }

  unshift(node: T): void {
    node.previous = undefined;
    node.next = this.#first;
    if (this.#first === undefined) this.#last = node;
    else this.#first.previous = node;
    this.#first = node;
  }

  remove(node: T): void {
    if (node.previous === undefined) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#last = node.previous;
    else node.next.previous = node.previous;
    node.previous = undefined;
    node.next = undefined;
  }
}
