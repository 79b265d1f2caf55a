// RUN: fuse
// x * logistic(x) reads x twice; both branches end in one value.
// CHECK: nn.fused %x, %w
// CHECK: %[[D:.*]] = nn.dot_general
// CHECK-NEXT: %[[L:.*]] = nn.logistic %[[D]]
// CHECK-NEXT: nn.multiply %[[D]], %[[L]]
// CHECK-NEXT: nn.yield
// CHECK-NOT: nn.fused
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> {
  %p = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %l = nn.logistic %p : tensor<4x6xf32>
  %s = nn.multiply %p, %l : tensor<4x6xf32>
  func.return %s : tensor<4x6xf32>
}
