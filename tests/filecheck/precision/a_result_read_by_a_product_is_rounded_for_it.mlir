// RUN: fuse,precision
// %p is returned in f32 and multiplied again: the product reads a bf16 copy.
// CHECK: %[[P:.*]] = nn.fused %x, %w : {{.*}} -> tensor<8x8xf32>
// CHECK: %[[C:.*]] = nn.fused %[[P]] : (tensor<8x8xf32>) -> tensor<8x8xbf16>
// CHECK-NOT: nn.add
// CHECK: nn.fused %[[C]], %w : (tensor<8x8xbf16>, tensor<8x8xbf16>) -> tensor<8x8xf32>
func.func @main(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %p = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %q = nn.dot_general %p, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  func.return %p, %q : tensor<8x8xf32>, tensor<8x8xf32>
}
