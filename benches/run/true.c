/* The smallest command: what remains is the cost of the container. */
int main(void) { return 0; }
